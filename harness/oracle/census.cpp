#include <algorithm>

#include <fmt/format.h>

#include "harness/oracle/descriptors.hpp"
#include "harness/oracle/rules.hpp"

namespace poolproof::oracle {
namespace {

const trace::OsRecord* census(const trace::Trace& trace, std::string_view when) {
  for (const trace::OsRecord& record : trace.os) {
    if (record.when == when) return &record;
  }
  return nullptr;
}

/// A number that must be after the pool what it was before.
void judge_count(const Evidence& evidence, std::string_view invariant, std::string_view what,
                 std::uint32_t trace::OsRecord::*count, Findings& findings) {
  const trace::OsRecord* before = census(evidence.trace, "before");
  const trace::OsRecord* after = census(evidence.trace, "after");
  if (before == nullptr || after == nullptr || before->*count == after->*count) return;
  tell(findings, invariant, after->at, "{} before the pool: {}, after it was closed: {}", what,
       before->*count, after->*count);
}

/// A leak while the pool lives is gone with the pool: it shows only when all is quiescent.
void judge_descriptors_at_rest(const Evidence& evidence, Findings& findings) {
  const trace::OsRecord* before = census(evidence.trace, "before");
  const trace::OsRecord* quiescent = census(evidence.trace, "quiescent");
  if (before == nullptr || quiescent == nullptr) return;
  const DescriptorNeed need = descriptor_need(evidence.trace.header.world);
  const std::uint32_t workers =
      quiescent->children - std::min(quiescent->children, before->children);
  const std::uint32_t most = before->descriptors + need.pool + need.worker * workers;
  if (quiescent->descriptors <= most) return;
  tell(findings, "descriptors", quiescent->at,
       "open descriptors when all was quiescent: {}, though {} before the pool, {} for the pool "
       "itself and {} for each of {} living worker(s) make {}",
       quiescent->descriptors, before->descriptors, need.pool, need.worker, workers, most);
}

}  // namespace

void judge_reaping(const Case& given, Findings& findings) {
  judge_count(given.evidence, "reaping", "zombies", &trace::OsRecord::zombies, findings);
}

void judge_descriptors(const Case& given, Findings& findings) {
  judge_count(given.evidence, "descriptors", "open descriptors", &trace::OsRecord::descriptors,
              findings);
  judge_descriptors_at_rest(given.evidence, findings);
}

void judge_threads(const Case& given, Findings& findings) {
  judge_count(given.evidence, "threads", "threads", &trace::OsRecord::threads, findings);
}

void judge_no_survivors(const Case& given, Findings& findings) {
  judge_count(given.evidence, "no_survivors", "children", &trace::OsRecord::children, findings);
  const trace::OsRecord* after = census(given.evidence.trace, "after");
  if (after == nullptr) return;
  for (const std::string& survivor : after->survivors) {
    findings.push_back(
        {"no_survivors", "still there after the pool was closed: " + survivor, after->at});
  }
}

}  // namespace poolproof::oracle

#include <algorithm>
#include <iterator>

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

/// Judges a count (zombies, threads...) that must be the same after the pool as it was before it.
void judge_count(const Evidence& evidence, std::string_view invariant, std::string_view what,
                 std::uint32_t trace::OsRecord::*count, Findings& findings) {
  const trace::OsRecord* before = census(evidence.trace, "before");
  const trace::OsRecord* after = census(evidence.trace, "after");
  if (before == nullptr || after == nullptr || before->*count == after->*count) return;
  tell(findings, invariant, after->at, "{} before the pool: {}, after it was closed: {}", what,
       before->*count, after->*count);
}

/// A pool's end also closes descriptors that it leaked: such a leak shows only while the pool
/// lives, in the quiescent census.
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

/// Some client closed the pool. The harness, which has no name, does so only after quiescence.
bool closed_by_a_client(const Case& given) {
  const auto& closes = given.view.closes;
  return std::any_of(closes.begin(), closes.end(), [&given](std::uint32_t place) {
    return !given.evidence.trace.clients[place].client.empty();
  });
}

/// On the host a worker may die, or write, between the quiescent census and the close.
bool stood_still_until_close(const trace::Trace& trace, const trace::OsRecord& quiescent) {
  const auto closed = std::find_if(trace.pool.rbegin(), trace.pool.rend(), [](const auto& record) {
    return std::holds_alternative<pool::CloseRequested>(record.event);
  });
  const auto last = closed == trace.pool.rend() ? trace.pool.rbegin() : std::next(closed);
  return last == trace.pool.rend() || last->at <= quiescent.at;
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

/// A "quiescent" census is taken when nothing is left to happen. In the simulator that is certain;
/// on the host it only means that the pool knew of nothing.
void judge_full_size(const Case& given, Findings& findings) {
  const trace::OsRecord* quiescent = census(given.evidence.trace, "quiescent");
  if (quiescent == nullptr) return;
  const auto report = [&](std::string what) {
    findings.push_back({"full_size", "when all was quiescent " + std::move(what), quiescent->at});
  };
  const trace::OsRecord* before = census(given.evidence.trace, "before");
  const std::uint32_t others = before == nullptr ? 0 : before->children;
  const pool::Config& core = given.evidence.scenario.pool.core;
  if (quiescent->zombies > (before == nullptr ? 0 : before->zombies)) {
    report(fmt::format("{} zombie(s) were left", quiescent->zombies));
  }
  const bool closed = closed_by_a_client(given);
  const std::uint32_t most = closed ? 0 : core.size;
  const bool may_shrink = core.idle_timeout > Duration::zero();
  const bool may_be_empty = closed || core.start == pool::StartMode::lazy || may_shrink;
  const std::uint32_t least = may_be_empty ? 0 : core.size;
  const std::uint32_t workers = quiescent->children < others ? 0 : quiescent->children - others;
  if (workers > most || workers < least) {
    report(fmt::format("{} worker(s) lived in {} of {}", workers,
                       closed       ? "a closed pool"
                       : least == 0 ? "a lazy pool"
                                    : "an eager pool",
                       core.size));
  }
  if (given.self_report == nullptr || !stood_still_until_close(given.evidence.trace, *quiescent))
    return;
  const Standing left = given.self_report->before_last_close();
  if (left.waiting > 0) report(fmt::format("{} client(s) still waited", left.waiting));
  if (left.leased > 0) report(fmt::format("{} worker(s) were still leased", left.leased));
  if (left.leaving > 0) {
    report(fmt::format("{} worker(s) told to go had not gone", left.leaving));
  }
}

}  // namespace poolproof::oracle

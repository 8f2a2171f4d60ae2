#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"

/// A census "calm" is of a moment when nothing was left to happen: in the simulator none is, on the
/// host nobody knew of anything.
namespace poolproof::oracle {
namespace {

const trace::OsRecord* census(const trace::Trace& trace, std::string_view when) {
  for (const trace::OsRecord& record : trace.os) {
    if (record.when == when) return &record;
  }
  return nullptr;
}

/// Some client closed the pool before; the harness, which has no name, does so only after the calm.
bool closed_by_a_client(const Case& given) {
  const auto& closes = given.view.closes;
  return std::any_of(closes.begin(), closes.end(), [&given](std::uint32_t place) {
    return !given.evidence.trace.clients[place].client.empty();
  });
}

/// On the host a worker may still die, or its output be noticed, between the calm and the close.
bool stood_still_until_close(const trace::Trace& trace, const trace::OsRecord& calm) {
  const auto closed = std::find_if(trace.pool.rbegin(), trace.pool.rend(), [](const auto& record) {
    return std::holds_alternative<pool::CloseRequested>(record.event);
  });
  const auto last = closed == trace.pool.rend() ? trace.pool.rbegin() : std::next(closed);
  return last == trace.pool.rend() || last->at <= calm.at;
}

}  // namespace

void judge_full_size(const Case& given, Findings& findings) {
  judge_testimony(given, "full_size", findings);
  const trace::OsRecord* calm = census(given.evidence.trace, "calm");
  if (calm == nullptr) return;
  const auto report = [&](std::string what) {
    findings.push_back({"full_size", "when all was calm " + std::move(what), calm->at});
  };
  const trace::OsRecord* before = census(given.evidence.trace, "before");
  const std::uint32_t others = before == nullptr ? 0 : before->children;
  const pool::Config& core = given.evidence.scenario.pool.core;
  if (calm->zombies > (before == nullptr ? 0 : before->zombies)) {
    report(fmt::format("{} zombie(s) were left", calm->zombies));
  }
  const bool closed = closed_by_a_client(given);
  const std::uint32_t most = closed ? 0 : core.size;
  const std::uint32_t least = closed || core.start == pool::StartMode::lazy ? 0 : core.size;
  const std::uint32_t workers = calm->children < others ? 0 : calm->children - others;
  if (workers > most || workers < least) {
    report(fmt::format("{} worker(s) lived in {} of {}", workers,
                       closed       ? "a closed pool"
                       : least == 0 ? "a lazy pool"
                                    : "an eager pool",
                       core.size));
  }
  if (given.testimony == nullptr || !stood_still_until_close(given.evidence.trace, *calm)) return;
  const Standing left = given.testimony->before_last_close();
  if (left.waiting > 0) report(fmt::format("{} client(s) still waited", left.waiting));
  if (left.leased > 0) report(fmt::format("{} worker(s) were still leased", left.leased));
  if (left.leaving > 0) {
    report(fmt::format("{} worker(s) told to go had not gone", left.leaving));
  }
}

}  // namespace poolproof::oracle

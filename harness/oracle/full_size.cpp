#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"

/// A census "quiescent" is taken when nothing is left to happen: in the simulator that is certain,
/// on the host the pool knew of nothing.
namespace poolproof::oracle {
namespace {

const trace::OsRecord* census(const trace::Trace& trace, std::string_view when) {
  for (const trace::OsRecord& record : trace.os) {
    if (record.when == when) return &record;
  }
  return nullptr;
}

/// Some client closed the pool. The harness, which has no name, does so only after quiescence.
bool closed_by_a_client(const Case& given) {
  const auto& closes = given.view.closes;
  return std::any_of(closes.begin(), closes.end(), [&given](std::uint32_t place) {
    return !given.evidence.trace.clients[place].client.empty();
  });
}

/// On the host a worker may still die, or its output be noticed, between that census and the close.
bool stood_still_until_close(const trace::Trace& trace, const trace::OsRecord& quiescent) {
  const auto closed = std::find_if(trace.pool.rbegin(), trace.pool.rend(), [](const auto& record) {
    return std::holds_alternative<pool::CloseRequested>(record.event);
  });
  const auto last = closed == trace.pool.rend() ? trace.pool.rbegin() : std::next(closed);
  return last == trace.pool.rend() || last->at <= quiescent.at;
}

}  // namespace

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
  const std::uint32_t least = closed || core.start == pool::StartMode::lazy ? 0 : core.size;
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

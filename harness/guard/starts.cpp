#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "harness/guard/rules.hpp"

/// Are workers that do not serve started again and again?
namespace poolproof::guard {
namespace {

constexpr Duration kStormWindow = std::chrono::seconds(10);
/// A worker that lived for longer has done something.
constexpr Duration kShortLife = std::chrono::seconds(1);
/// For workers that may have done their work (they ended well, or unseen), this many times as many
/// starts are allowed.
constexpr std::uint32_t kUnknownFactor = 3;

struct Start {
  Duration at{};
  Address address;
};
using Starts = std::vector<Start>;

/// The window of time with the most starts, as the first and past-the-last place, if they are more
/// than `most`.
std::optional<std::pair<std::size_t, std::size_t>> storm(const Starts& starts, std::size_t most) {
  std::optional<std::pair<std::size_t, std::size_t>> worst;
  std::size_t first = 0;
  for (std::size_t last = 0; last < starts.size(); ++last) {
    while (starts[last].at - starts[first].at > kStormWindow) ++first;
    const std::size_t count = last - first + 1;
    if (count > most && (!worst || count > worst->second - worst->first)) worst = {first, last + 1};
  }
  return worst;
}

void tell(const Starts& starts, std::size_t most, std::string_view how, Judgement& judgement) {
  const auto found = storm(starts, most);
  if (!found) return;
  const Start& first = starts[found->first];
  const Start& last = starts[found->second - 1];
  const std::string what =
      fmt::format("{} workers that {} were started within {} ms, of one command; the last is {}",
                  found->second - found->first, how, to_ms(last.at - first.at), told(last.address));
  judgement.findings.push_back(
      {"start_storm", Blame::program, what, first.at, {first.address, last.address}});
}

/// Reports starts by journals: of workers that never answered and were not asked to leave. Returns
/// the pids of all journals.
std::set<pid_t> judge_journals(const Facts& facts, Judgement& judgement) {
  std::set<pid_t> journaled;
  Starts failed;
  for (const Incarnation& one : facts.incarnations) {
    journaled.insert(static_cast<pid_t>(one.pid));
    const Process process = process_of(facts, one);
    const bool over = one.exiting || (process.gone && *process.gone < facts.end.at);
    if (!over || one.has_served() || one.asked_to_leave()) continue;
    failed.push_back({one.started, process.address});
  }
  std::ranges::sort(failed, {}, &Start::at);
  tell(failed, facts.starts_most, "ended before they had answered anything", judgement);
  return journaled;
}

}  // namespace

void judge_starts(const Facts& facts, Judgement& judgement) {
  const std::set<pid_t> journaled = judge_journals(facts, judgement);
  std::map<std::pair<pid_t, std::string>, std::pair<Starts, Starts>> by_command;
  for (const Process& one : facts.seen) {
    const bool is_short = one.gone && one.last_seen - one.address.started < kShortLife;
    if (!one.is_worker || one.is_copy || !is_short || journaled.contains(one.address.pid)) continue;
    auto& [failed, all] = by_command[{one.address.parent, one.address.command}];
    all.push_back({one.address.started, one.address});
    if (one.exit && *one.exit != ExitStatus{}) failed.push_back(all.back());
  }
  for (const auto& [command, starts] : by_command) {
    const std::size_t before = judgement.findings.size();
    tell(starts.first, facts.starts_most, "failed at once", judgement);
    if (judgement.findings.size() != before) continue;
    const std::size_t most = std::size_t{kUnknownFactor} * facts.starts_most;
    tell(starts.second, most, "lived for less than a second", judgement);
  }
}

}  // namespace poolproof::guard

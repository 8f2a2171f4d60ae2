#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
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
  bool is_seen = true;  ///< by a look, so that its command is known
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

/// Whose workers these are, as far as it is known.
std::string of_whom(std::span<const Start> starts) {
  const auto unseen = std::ranges::count(starts, false, &Start::is_seen);
  if (unseen == 0) return "of one command";
  if (unseen == std::ssize(starts)) return "of commands that no look has seen";
  return fmt::format("of one command as far as they were seen ({} were not)", unseen);
}

void tell(const Starts& starts, std::size_t most, std::string_view how, Judgement& judgement) {
  const auto found = storm(starts, most);
  if (!found) return;
  const auto worst = std::span(starts).subspan(found->first, found->second - found->first);
  const Start& first = worst.front();
  const Start& last = worst.back();
  const std::string what =
      fmt::format("{} workers that {} were started within {} ms, {}; the last is {}", worst.size(),
                  how, to_ms(last.at - first.at), of_whom(worst), told(last.address));
  judgement.findings.push_back(
      {"start_storm", Blame::program, what, first.at, {first.address, last.address}});
}

/// By whom a worker is started, and by which command.
using Origin = std::pair<pid_t, std::string>;
Origin origin_of(const Address& address) {
  return {address.parent, address.command};
}

/// Whether the command line was seen: of a process that is ending there is but a name, in
/// parentheses.
bool has_command(const Address& address) {
  return !address.command.starts_with('(');
}

/// Starts by their origins. One that no look has seen goes by the seen one before it in its
/// journal, or after it if there is none before.
class StartsByOrigin {
 public:
  void add(const Incarnation& one, const Process* seen, Start start) {
    std::optional<Origin>& latest = latest_[one.journal];
    Starts& before_all = before_all_[one.journal];
    if (seen != nullptr) {
      latest = origin_of(seen->address);
      Starts& same = known_[*latest];
      same.insert(same.end(), before_all.begin(), before_all.end());
      before_all.clear();
    }
    (latest ? known_[*latest] : before_all).push_back(std::move(start));
  }

  [[nodiscard]] std::vector<Starts> all() const {
    std::vector<Starts> groups;
    for (const auto& [origin, starts] : known_) groups.push_back(starts);
    for (const auto& [journal, starts] : before_all_) groups.push_back(starts);
    for (Starts& group : groups) std::ranges::stable_sort(group, {}, &Start::at);
    return groups;
  }

 private:
  std::map<Origin, Starts> known_;
  std::map<std::size_t, std::optional<Origin>> latest_;  ///< for each journal
  std::map<std::size_t, Starts> before_all_;  ///< for each journal: those before any that was seen
};

/// Reports starts by journals: of workers that never answered and were not asked to leave. Returns
/// the pids of all journals.
std::set<pid_t> judge_journals(const Facts& facts, Judgement& judgement) {
  std::set<pid_t> journaled;
  StartsByOrigin failed;
  std::vector<const Incarnation*> in_order;
  for (const Incarnation& one : facts.incarnations) in_order.push_back(&one);
  std::ranges::stable_sort(in_order, {}, &Incarnation::started);
  for (const Incarnation* const one : in_order) {
    journaled.insert(static_cast<pid_t>(one->pid));
    const Process process = process_of(facts, *one);
    const bool over = one->exiting || (process.gone && *process.gone < facts.end.at);
    if (!over || one->has_served() || one->asked_to_leave()) continue;
    const Process* const seen = seen_of(facts, *one);
    const bool is_seen = seen != nullptr && !seen->is_copy && has_command(seen->address);
    failed.add(*one, is_seen ? seen : nullptr, {one->started, process.address, is_seen});
  }
  for (const Starts& starts : failed.all()) {
    tell(starts, facts.starts_most, "ended before they had answered anything", judgement);
  }
  return journaled;
}

}  // namespace

void judge_starts(const Facts& facts, Judgement& judgement) {
  const std::set<pid_t> journaled = judge_journals(facts, judgement);
  std::map<Origin, std::pair<Starts, Starts>> by_origin;
  for (const Process& one : facts.seen) {
    const bool is_short = one.gone && one.last_seen - one.address.started < kShortLife;
    if (!one.is_worker || one.is_copy || !is_short || journaled.contains(one.address.pid)) continue;
    auto& [failed, all] = by_origin[origin_of(one.address)];
    all.push_back({one.address.started, one.address, has_command(one.address)});
    if (one.exit && *one.exit != ExitStatus{}) failed.push_back(all.back());
  }
  for (const auto& [origin, starts] : by_origin) {
    const std::size_t before = judgement.findings.size();
    tell(starts.first, facts.starts_most, "failed at once", judgement);
    if (judgement.findings.size() != before) continue;
    const std::size_t most = std::size_t{kUnknownFactor} * facts.starts_most;
    tell(starts.second, most, "lived for less than a second", judgement);
  }
}

}  // namespace poolproof::guard

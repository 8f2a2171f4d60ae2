#include <algorithm>

#include <fmt/format.h>

#include "harness/guard/rules.hpp"

/// What did the program leave behind?
namespace poolproof::guard {
namespace {

bool is_worker(const Facts& facts, pid_t pid) {
  const auto journals = [pid](const Incarnation& one) { return one.pid == pid; };
  const auto is_it = [pid](const Process& one) { return one.address.pid == pid && one.is_worker; };
  return std::ranges::any_of(facts.incarnations, journals) ||
         std::ranges::any_of(facts.seen, is_it);
}

/// A worker that is left is the program's; what a worker has left is the worker's.
Blame blame_of(const Facts& facts, const Address& address) {
  const bool of_worker = !is_worker(facts, address.pid) && is_worker(facts, address.parent);
  return of_worker ? Blame::worker : Blame::program;
}

}  // namespace

void judge_survivors(const Facts& facts, Judgement& judgement) {
  const bool put_away = facts.end.how != HostEnd::How::by_itself;
  for (const Process& one : facts.left) {
    Finding finding{"no_survivors", blame_of(facts, one.address), "", facts.end.at, {one.address}};
    if (put_away) {
      finding.what = told(one.address) + ", was there when the program was put away";
      judgement.remarks.push_back(std::move(finding));
    } else {
      finding.what = told(one.address) + ", lived on after the program's end and was put away";
      judgement.findings.push_back(std::move(finding));
    }
  }
}

void judge_zombies(const Facts& facts, Judgement& judgement) {
  /// Who has just died may not have been reaped yet: the program may have been about to.
  constexpr Duration kLeastDead = std::chrono::milliseconds(500);
  for (const Zombie& zombie : facts.zombies) {
    const Duration dead_for = zombie.parent_end - zombie.dead_since;
    if (dead_for < kLeastDead) continue;
    const std::string what = fmt::format("{}, was dead for {} and not reaped when its parent ended",
                                         told(zombie.address), seconds(dead_for));
    judgement.findings.push_back(
        {"no_zombies", blame_of(facts, zombie.address), what, zombie.dead_since, {zombie.address}});
  }
}

}  // namespace poolproof::guard

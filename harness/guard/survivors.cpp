#include <string>

#include <fmt/format.h>

#include "harness/guard/origin.hpp"
#include "harness/guard/rules.hpp"

/// What did the program leave behind?
namespace poolproof::guard {
namespace {

/// A worker that is left is the program's; what a worker has left is the worker's.
Blame blame_of(const Facts& facts, const Process& process) {
  return is_worker(facts, process) ? Blame::program : starter_of(facts, process);
}

/// What must be said of it besides where it was found.
std::string doubt_of(Blame blame) {
  if (blame != Blame::unknown) return "";
  return "; who started it had gone before it was seen: the program or a worker of its";
}

}  // namespace

void judge_survivors(const Facts& facts, Judgement& judgement) {
  const bool put_away = facts.end.how != HostEnd::How::by_itself;
  for (const Process& one : facts.left) {
    const Blame blame = blame_of(facts, one);
    Finding finding{"no_survivors", blame, "", facts.end.at, {one.address}};
    if (put_away) {
      finding.what =
          told(one.address) + ", was there when the program was put away" + doubt_of(blame);
      judgement.remarks.push_back(std::move(finding));
    } else {
      finding.what = told(one.address) + ", lived on after the program's end and was put away" +
                     doubt_of(blame);
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
    // It is for its parent to reap it.
    Process dead;
    dead.address = zombie.address;
    const Blame blame = starter_of(facts, dead);
    judgement.findings.push_back({"no_zombies", blame, what, zombie.dead_since, {zombie.address}});
  }
}

}  // namespace poolproof::guard

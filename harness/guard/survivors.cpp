#include <string>

#include <fmt/format.h>

#include "harness/guard/origin.hpp"
#include "harness/guard/rules.hpp"

/// What did the program leave behind?
namespace poolproof::guard {
namespace {

/// Who left a process behind: for a worker the program, for a worker's own child the worker.
Blame blame_of(const Facts& facts, const Process& process) {
  return is_worker(facts, process) ? Blame::program : starter_of(facts, process);
}

/// Says that nobody knows who started the process, if so.
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
  /// A child that has just died may be about to be reaped: it does not count.
  constexpr Duration kLeastDead = std::chrono::milliseconds(500);
  for (const Zombie& zombie : facts.zombies) {
    const Duration dead_for = zombie.parent_end - zombie.dead_since;
    if (dead_for < kLeastDead) continue;
    const std::string what = fmt::format("{}, was dead for {} and not reaped when its parent ended",
                                         told(zombie.address), seconds(dead_for));
    // Whoever started the dead process should have reaped it.
    Process dead;
    dead.address = zombie.address;
    const Blame blame = starter_of(facts, dead);
    judgement.findings.push_back({"no_zombies", blame, what, zombie.dead_since, {zombie.address}});
  }
}

}  // namespace poolproof::guard

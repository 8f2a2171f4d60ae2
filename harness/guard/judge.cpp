#include "harness/guard/judge.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "harness/guard/rules.hpp"

namespace poolproof::guard {
namespace {

constexpr std::array kInvariants{
    Invariant{"no_survivors", "nothing that the program began lives on after it"},
    Invariant{"no_zombies", "whoever starts a process reaps it"},
    Invariant{"host_ended",
              "the program ends: in time, with exit code 0, by no signal and no uncaught error"},
    Invariant{"idle_cpu", "who has nothing to do uses no processor"},
    Invariant{"bounded_memory", "who has nothing to do takes no more memory"},
    Invariant{"descriptors_back", "what a worker's pipes and files took is given back"},
    Invariant{"start_storm", "workers that fail are not started again and again"},
    Invariant{"at_most_once", "no call is carried out twice"},
    Invariant{"no_dirty_reuse",
              "with --exclusive: a worker that owes an answer, or whose stream is spoilt, is asked "
              "nothing more"},
    Invariant{"leaving_order", "a worker is asked to leave, and given time, before it is killed"},
    Invariant{"healthy_worker_killed", "a worker that has just begun a call is not killed in it"},
};

}  // namespace

std::span<const Invariant> invariants() {
  return kInvariants;
}

Verdict Judgement::verdict() const {
  if (!findings.empty()) return Verdict::fail;
  return reasons.empty() ? Verdict::pass : Verdict::invalid;
}

std::string told(const Address& address) {
  std::string text = fmt::format("pid {} \"{}\", started {} ms after the guard", address.pid,
                                 address.command, to_ms(address.started));
  if (address.parent != 0) text += fmt::format(" by pid {}", address.parent);
  if (!address.parent_command.empty()) text += fmt::format(" \"{}\"", address.parent_command);
  return text;
}

const Process* seen_of(const Facts& facts, const Incarnation& incarnation) {
  /// Start times come in ticks of 10 ms, and each of the two compared may be off by one tick.
  constexpr Duration kTicks = std::chrono::milliseconds(30);
  // The pid may have belonged to another process before, or to one after it that no look has seen.
  const auto is_same = [&](const Process& one) {
    return one.address.pid == incarnation.pid && (!one.gone || *one.gone >= incarnation.started) &&
           one.address.started <= incarnation.started + kTicks;
  };
  const auto found = std::ranges::find_if(facts.seen, is_same);
  return found == facts.seen.end() ? nullptr : &*found;
}

Process process_of(const Facts& facts, const Incarnation& incarnation) {
  if (const Process* const seen = seen_of(facts, incarnation)) return *seen;
  Process process;
  process.address.pid = static_cast<pid_t>(incarnation.pid);
  process.address.command =
      fmt::format("worker {}.{}", incarnation.worker.slot, incarnation.worker.generation);
  process.address.started = incarnation.started;
  process.is_worker = true;
  return process;
}

Judgement judge(const Facts& facts) {
  Judgement judgement;
  for (const auto rule :
       {judge_survivors, judge_zombies, judge_host_end, judge_idle, judge_descriptors, judge_starts,
        judge_at_most_once, judge_reuse, judge_leaving, judge_strikes}) {
    rule(facts, judgement);
  }
  return judgement;
}

}  // namespace poolproof::guard

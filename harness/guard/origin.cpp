#include "harness/guard/origin.hpp"

#include <algorithm>

/// Where does a process come from?
namespace poolproof::guard {
namespace {

/// Start times come in ticks of 10 ms, and each of the two compared may be off by one tick.
constexpr Duration kTicks = std::chrono::milliseconds(30);

/// Whether a process may have been there when something began at that time.
bool was_there(const Process& one, Duration at) {
  return one.address.started <= at + kTicks && (!one.gone || *one.gone + kTicks >= at);
}

/// The last process of that pid that had begun by then; others may have had the pid before.
const Process* seen_as(const Facts& facts, pid_t pid, Duration by) {
  const Process* last = nullptr;
  for (const Process& one : facts.seen) {
    if (one.address.pid != pid || one.address.started > by + kTicks) continue;
    if (last == nullptr || last->address.started <= one.address.started) last = &one;
  }
  return last;
}

bool is_said_to_be_left(const Facts& facts, const Address& address) {
  const auto left_it = [&](const Incarnation& one) {
    return one.started <= address.started + kTicks &&
           std::ranges::count(one.children, address.pid) > 0;
  };
  return std::ranges::any_of(facts.incarnations, left_it);
}

/// The leader of a process's group or session, if that is not the program: a process that makes
/// neither a group nor a session of its own stays in those of whoever started it.
const Process* leader_of(const Facts& facts, const Process& process) {
  for (const pid_t leader : {process.group, process.session}) {
    if (leader == process.address.pid || leader == facts.host.pid) continue;
    const Process* const one = seen_as(facts, leader, process.address.started);
    if (one != nullptr) return one;
  }
  return nullptr;
}

bool may_be_of_worker(const Facts& facts, const Address& address) {
  const auto had_time = [&](const Process& one) {
    return one.address.pid != address.pid && was_there(one, address.started) &&
           is_worker(facts, one);
  };
  const auto had_begun = [&](const Incarnation& one) {
    return seen_as(facts, static_cast<pid_t>(one.pid), one.started) == nullptr &&
           one.started <= address.started + kTicks;
  };
  return std::ranges::any_of(facts.seen, had_time) ||
         std::ranges::any_of(facts.incarnations, had_begun);
}

Process of_address(const Facts& facts, const Address& address) {
  const Process* const seen = seen_as(facts, address.pid, address.started);
  if (seen != nullptr && seen->address.started == address.started) return *seen;
  Process process;
  process.address = address;
  return process;
}

}  // namespace

bool is_worker(const Facts& facts, const Process& process) {
  const auto journals = [&](const Incarnation& one) {
    return one.pid == process.address.pid && was_there(process, one.started);
  };
  return process.is_worker || std::ranges::any_of(facts.incarnations, journals);
}

Blame starter_of(const Facts& facts, const Process& process) {
  const Process* one = &process;
  bool by_parents = true;
  // No more steps than there are processes: a pid that was used twice must not make a circle.
  for (std::size_t steps = 0; steps <= facts.seen.size(); ++steps) {
    const Address& address = one->address;
    if (is_said_to_be_left(facts, address)) return Blame::worker;
    const bool is_of_host = address.pid == facts.host.pid || address.parent == facts.host.pid;
    if (is_of_host && by_parents) return Blame::program;
    const Process* above =
        address.parent == 0 ? nullptr : seen_as(facts, address.parent, address.started);
    if (above == nullptr) {
      above = leader_of(facts, *one);
      by_parents = false;
    }
    if (is_of_host || above == nullptr) break;
    if (is_worker(facts, *above)) return Blame::worker;
    one = above;
  }
  return may_be_of_worker(facts, process.address) ? Blame::unknown : Blame::program;
}

Blame doer_of(const Facts& facts, const Address& address) {
  const Process process = of_address(facts, address);
  return is_worker(facts, process) ? Blame::worker : starter_of(facts, process);
}

}  // namespace poolproof::guard

#include "harness/pool/event_loop.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof::pool {
namespace {

using namespace std::chrono_literals;

/// Idle for so long before its stdout is watched: a busy worker is not worth the system call.
constexpr Duration kIdleBeforeWatch = 20ms;
/// An idle worker whose stdout ended is mostly one that is just dying.
constexpr Duration kSuspicion = 250ms;

}  // namespace

// ---- orders ------------------------------------------------------------------------------------

void EventLoop::obey(const Effect& order) {
  if (const auto* start = std::get_if<Start>(&order)) return world_.start(start->worker);
  if (const auto* handshake = std::get_if<BeginHandshake>(&order)) {
    if (Worker* const worker = find(handshake->worker))
      begin_handshake(*worker, handshake->deadline);
  } else if (const auto* ping = std::get_if<BeginPing>(&order)) {
    if (Worker* const worker = find(ping->worker)) begin_ping(*worker, ping->deadline);
  } else if (const auto* measured = std::get_if<MeasureMemory>(&order)) {
    if (Worker* const worker = find(measured->worker)) measure_memory(*worker);
  } else if (const auto* told = std::get_if<Stop>(&order)) {
    if (Worker* const worker = find(told->worker)) stop(*worker, told->step);
  } else if (const auto* forgotten = std::get_if<Forget>(&order)) {
    forget(forgotten->worker);
  }
}

void EventLoop::stop(Worker& worker, StopStep step) {
  // Nobody wants to know any more whether it answers.
  if (worker.pinged && worker.handshake) worker.handshake.reset();
  switch (step) {
    case StopStep::ask:
      ask_shutdown(worker);
      break;
    case StopStep::end_of_input:
      close_stdin(worker);
      break;
    case StopStep::term:
    case StopStep::kill:
      // Once it is reaped, its group's number may belong to strangers.
      if (worker.reaped) return;
      worker.signal_group(step == StopStep::kill ? SIGKILL : SIGTERM);
      break;
  }
  world_.look(worker);
}

/// A polite request, if its stdin takes the whole of it; the ladder's next step comes by itself.
void EventLoop::ask_shutdown(Worker& worker) {
  if (wire_.opaque) return close_stdin(worker);
  const auto frame = own_request(wire_, worker.id(), worker.next_request, world_.timestamp());
  if (frame && worker.stdin_open()) (void)worker.write(*frame);
}

void EventLoop::close_stdin(Worker& worker) {
  const Entered entered(dispatcher_);
  worker.close_stdin();
}

void EventLoop::forget(WorkerId id) {
  const Entered entered(dispatcher_);
  if (dispatcher_.find(id) != nullptr) dispatcher_.forget(id);
}

// ---- handshakes --------------------------------------------------------------------------------

void EventLoop::begin_handshake(Worker& worker, Time deadline) {
  if (worker.reaped) return;
  // Bytes that are nobody's business have no ping: such a worker is good once it runs.
  if (wire_.opaque) return handshake_ended(worker, {}, "");
  auto frame = own_request(wire_, worker.id(), 0, world_.timestamp());
  POOLPROOF_ASSERT(frame.has_value());
  const auto ping_bytes = static_cast<std::uint32_t>(frame->size());
  worker.handshake.emplace(
      worker, wire_.framing, std::move(*frame), deadline,
      dispatcher_.core().config().postmortem_budget, [this, &worker] { close_stdin(worker); },
      Handshake::Tap{}, wire_.codec);
  worker.handshake->exchange(dispatcher_.now());
  if (!worker.handshake->wants_to_write()) {
    const Entered entered(dispatcher_);
    worker.ping_bytes = ping_bytes;
  }
  finish_handshake(worker);
  world_.look(worker);
}

void EventLoop::advance_handshake(Worker& worker) {
  if (!worker.handshake) return;
  const Time now = dispatcher_.now();
  worker.handshake->exchange(now);
  worker.handshake->tick(now);
  finish_handshake(worker);
  world_.look(worker);
}

void EventLoop::finish_handshake(Worker& worker) {
  if (!worker.handshake || !worker.handshake->evidence()) return;
  if (worker.pinged) {
    const bool good = worker.handshake->evidence()->cause == StartCause::none;
    worker.handshake.reset();
    return ping_ended(worker, good);
  }
  const StartEvidence evidence = *worker.handshake->evidence();
  std::string reason = worker.handshake->reason();
  worker.handshake.reset();
  if (evidence.cause != StartCause::none) take_stderr(worker);
  handshake_ended(worker, evidence, std::move(reason));
}

void EventLoop::handshake_ended(Worker& worker, const StartEvidence& evidence, std::string reason) {
  {
    const Entered entered(dispatcher_);
    dispatcher_.handshake_ended(worker, evidence, std::move(reason));
  }
  if (evidence.cause == StartCause::none) watch_later(worker);
}

// ---- idle pings --------------------------------------------------------------------------------

void EventLoop::begin_ping(Worker& worker, Time deadline) {
  if (worker.reaped) return;
  worker.watched = false;
  worker.watch_at = worker.suspect_at = kNever;
  if (wire_.opaque) return ping_ended(worker, true);  // as at its start
  auto frame = idle_ping(wire_, worker.id(), worker.next_request, world_.timestamp());
  POOLPROOF_ASSERT(frame.has_value());
  worker.pinged = true;
  worker.handshake.emplace(
      worker, wire_.framing, std::move(*frame), deadline,
      dispatcher_.core().config().postmortem_budget, [this, &worker] { close_stdin(worker); },
      Handshake::Tap{}, wire_.codec, worker.next_request++);
  worker.handshake->exchange(dispatcher_.now());
  finish_handshake(worker);
  world_.look(worker);
}

void EventLoop::ping_ended(Worker& worker, bool good) {
  {
    const Entered entered(dispatcher_);
    dispatcher_.ping_ended(worker.id(), good);
  }
  if (good) watch_later(worker);
}

void EventLoop::measure_memory(const Worker& worker) {
  if (worker.reaped) return;
  const std::uint64_t rss_bytes = worker.rss_bytes();
  if (rss_bytes == 0) return;  // nobody knows
  const Entered entered(dispatcher_);
  dispatcher_.memory_measured(worker.id(), rss_bytes);
}

// ---- what a process says -----------------------------------------------------------------------

void EventLoop::drain_stderr(Worker& worker) {
  take_stderr(worker);
  world_.look(worker);
}

void EventLoop::take_stderr(Worker& worker) {
  if (!worker.stderr_open) return;
  worker.stderr_open = worker.drain_stderr([&](std::string_view bytes) {
    const Entered entered(dispatcher_);
    worker.stderr_tail.append(bytes);
  });
}

bool EventLoop::reap_if_ended(Worker& worker) {
  if (worker.reaped) return false;
  const auto peeked = worker.peek_exit();
  if (peeked && !*peeked) return false;  // woken for nothing
  // Only a stranger who has reaped our child is final; whatever else fails comes again by itself.
  if (!peeked && peeked.error() != ECHILD) return false;
  take_stderr(worker);
  const ExitStatus status = peeked ? **peeked : ExitStatus{};
  if (worker.pinged) {
    worker.handshake.reset();  // its end says more than its silence
  } else if (worker.handshake) {
    worker.handshake->process_ended(status, dispatcher_.now());
    finish_handshake(worker);
  }
  // Its group is killed while the leader's number is still its own.
  worker.signal_group(SIGKILL);
  const auto reaped = worker.reap();
  if (!reaped && reaped.error() != ECHILD) return false;
  worker.reaped = true;
  worker.watched = false;
  worker.watch_at = worker.suspect_at = kNever;
  {
    const Entered entered(dispatcher_);
    worker.exit = status;
    worker.exit_published();
  }
  world_.look(worker);
  return true;
}

void EventLoop::tell_end(Worker& worker) {
  if (!worker.reaped || std::exchange(worker.end_told, true)) return;
  const Entered entered(dispatcher_);
  dispatcher_.step(Exited{worker.id(), *worker.exit});
}

// ---- idle workers ------------------------------------------------------------------------------

void EventLoop::watch_later(Worker& worker) {
  if (worker.watch_at == kNever) worker.watch_at = after(dispatcher_.now(), kIdleBeforeWatch);
  world_.look(worker);
}

/// What is ready or due may have been so for another reason: about a call that is long over.
void EventLoop::look_at_idle(Worker& worker) {
  const Time now = dispatcher_.now();
  if (worker.suspect_at <= now) {
    worker.suspect_at = kNever;
    unsolicited_if(worker, [&worker] { return worker.output_ended(); });
  } else if (worker.watch_at <= now) {
    worker.watch_at = kNever;
    const Entered entered(dispatcher_);
    if (!worker.reaped && dispatcher_.is_idle(worker.id())) worker.watched = true;
  } else if (std::exchange(worker.watched, false)) {
    const auto unread = worker.unread_output();
    if (unread && *unread == 0) {
      worker.suspect_at = after(now, kSuspicion);
    } else {
      unsolicited_if(worker, [&worker] { return worker.unread_output().value_or(0) > 0; });
    }
  }
  world_.look(worker);
}

template <class Still>
void EventLoop::unsolicited_if(Worker& worker, Still still) {
  const Entered entered(dispatcher_);
  if (worker.reaped || !dispatcher_.is_idle(worker.id()) || !still()) return;
  dispatcher_.step(UnsolicitedOutput{worker.id()});
}

/// Only the loop forgets workers: what it finds stays until it does.
Worker* EventLoop::find(WorkerId id) {
  const Entered entered(dispatcher_);
  return dispatcher_.find(id);
}

}  // namespace poolproof::pool

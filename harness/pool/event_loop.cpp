#include "harness/pool/event_loop.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof::pool {
namespace {

using namespace std::chrono_literals;

/// How long a worker is idle before its stdout is watched: a busy one is not worth the system call.
constexpr Duration kIdleBeforeWatch = 20ms;
/// How long a suspicion against an idle worker is held back. If its stdout ended it is mostly just
/// dying; if it has written part of a message it is about to write the rest.
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
  // Whether the worker answers its idle ping does not matter any more.
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

/// Writes the shutdown request, as far as stdin takes it; the ladder's next step comes by itself.
void EventLoop::ask_shutdown(Worker& worker) {
  if (!wire_.says_goodbye()) return close_stdin(worker);
  const auto frame = goodbye(wire_, worker.id(), worker.next_request, world_.timestamp());
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
  // A worker that is not greeted is good as soon as it runs.
  if (!wire_.greets()) return handshake_ended(worker, {}, "");
  auto frame = greeting(wire_, worker.id(), world_.timestamp());
  POOLPROOF_ASSERT(frame.has_value());
  const auto ping_bytes = static_cast<std::uint32_t>(frame->size());
  worker.handshake.emplace(
      worker, wire_, std::move(*frame), deadline, dispatcher_.core().config().postmortem_budget,
      [this] { return dispatcher_.now(); }, [this, &worker] { close_stdin(worker); });
  worker.handshake->exchange();
  if (!worker.handshake->wants_to_write()) {
    const Entered entered(dispatcher_);
    worker.ping_bytes = ping_bytes;
  }
  note_answers(worker);
  finish_handshake(worker);
  world_.look(worker);
}

void EventLoop::advance_handshake(Worker& worker) {
  if (!worker.handshake) return;
  worker.handshake->exchange();
  worker.handshake->tick();
  note_answers(worker);
  finish_handshake(worker);
  world_.look(worker);
}

/// Notes what lies behind the ping in the worker's stdin, so that it is not taken for the ping.
void EventLoop::note_answers(Worker& worker) {
  const std::size_t bytes = worker.handshake->answer_bytes();
  if (worker.pinged || bytes == worker.answer_bytes) return;
  const Entered entered(dispatcher_);
  worker.answer_bytes = bytes;
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
  POOLPROOF_ASSERT(wire_.pings());
  if (worker.reaped) return;
  worker.watched = false;
  worker.watch_at = worker.suspect_at = kNever;
  auto frame = idle_ping(wire_, worker.id(), worker.next_request, world_.timestamp());
  POOLPROOF_ASSERT(frame.has_value());
  worker.pinged = true;
  worker.handshake.emplace(
      worker, wire_, std::move(*frame), deadline, dispatcher_.core().config().postmortem_budget,
      [this] { return dispatcher_.now(); }, [this, &worker] { close_stdin(worker); },
      Handshake::Tap{}, worker.next_request++, std::exchange(worker.carried, {}));
  worker.handshake->exchange();
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
  if (rss_bytes == 0) return;  // the memory is not known
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
  if (peeked && !*peeked) return false;  // it still runs
  // ECHILD is final: somebody else has reaped our child. After other errors the loop looks again.
  if (!peeked && peeked.error() != ECHILD) return false;
  take_stderr(worker);
  const ExitStatus status = peeked ? **peeked : kEndUnknown;
  if (worker.pinged) {
    worker.handshake.reset();  // the end of the process says more than a ping without an answer
  } else if (worker.handshake) {
    worker.handshake->process_ended(status);
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
  if (!worker.reaped || std::exchange(worker.exit_reported, true)) return;
  const Entered entered(dispatcher_);
  dispatcher_.exited(worker);
}

// ---- idle workers ------------------------------------------------------------------------------

void EventLoop::watch_later(Worker& worker) {
  if (worker.watch_at == kNever) worker.watch_at = after(dispatcher_.now(), kIdleBeforeWatch);
  world_.look(worker);
}

/// What was ready or due may have concerned a call that is long over, so it is all checked again.
void EventLoop::check_idle_worker(Worker& worker) {
  const Time now = dispatcher_.now();
  if (worker.suspect_at <= now) {
    worker.suspect_at = kNever;
    unsolicited_if(worker, [&worker] { return worker.output_ended() || !worker.carried.empty(); });
  } else if (worker.watch_at <= now) {
    worker.watch_at = kNever;
    const Entered entered(dispatcher_);
    if (!worker.reaped && dispatcher_.is_idle(worker.id())) {
      worker.watched = true;
      if (!worker.carried.empty()) worker.suspect_at = after(now, kSuspicion);
    }
  } else if (std::exchange(worker.watched, false)) {
    const auto unread = worker.unread_output();
    if (unread && *unread == 0) {
      worker.suspect_at = after(now, kSuspicion);
    } else if (wire_.hears_unasked()) {
      hear_idle(worker);
    } else {
      unsolicited_if(worker, [&worker] { return worker.unread_output().value_or(0) > 0; });
    }
  }
  world_.look(worker);
}

/// Hears what an idle worker says unasked, and answers its requests. Anything else is unsolicited.
void EventLoop::hear_idle(Worker& worker) {
  const Entered entered(dispatcher_);
  if (worker.reaped || !dispatcher_.is_idle(worker.id())) return;
  wire::Conversation heard(wire_.framing, wire::Payload::envelope, 0, "", kNever, wire_.codec,
                           wire_.speech);
  heard.heard_before(worker.carried);
  std::array<char, 4096> chunk;  // NOLINT(*-member-init): only what was read is looked at
  // Bounded: a worker that floods its stdout must not keep the loop from the others.
  for (int rounds = 0; rounds < 8 && !heard.decided(); ++rounds) {
    const auto got = worker.read(chunk);
    if (!got || *got == 0) break;
    heard.heard_before(std::string_view(chunk.data(), *got));
  }
  worker.carried = heard.undecoded();
  const std::string_view answers = heard.pending_output();
  const bool told = answers.empty() || worker.write(answers) == answers.size();
  if (heard.decided() || !told) return dispatcher_.step(UnsolicitedOutput{worker.id()});
  worker.watched = true;
  worker.suspect_at = worker.carried.empty() ? kNever : after(dispatcher_.now(), kSuspicion);
}

template <class Still>
void EventLoop::unsolicited_if(Worker& worker, Still still) {
  const Entered entered(dispatcher_);
  if (worker.reaped || !dispatcher_.is_idle(worker.id()) || !still()) return;
  dispatcher_.step(UnsolicitedOutput{worker.id()});
}

/// Only the loop forgets workers, so what it finds stays valid after this function.
Worker* EventLoop::find(WorkerId id) {
  const Entered entered(dispatcher_);
  return dispatcher_.find(id);
}

}  // namespace poolproof::pool

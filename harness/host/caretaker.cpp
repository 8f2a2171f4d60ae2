#include "harness/host/caretaker.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/host/system.hpp"
#include "harness/host/timestamp.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;

/// Idle for so long before its stdout is watched: a busy worker is not worth the system call.
constexpr Duration kIdleBeforeWatch = 20ms;
/// An idle worker whose stdout ended is mostly one that is just dying.
constexpr Duration kSuspicion = 250ms;
/// Pause before a descriptor that could not be watched is tried again.
constexpr Duration kWatchAgain = 20ms;
/// So long the destructor waits for each process that outlived close().
constexpr Duration kReapingLimit = 1s;

/// slot (24 bits), generation (32 bits) and source (8 bits) in epoll's one number.
std::uint64_t tag_of(WorkerId id, std::uint64_t source) {
  return source << 56U | std::uint64_t{id.slot} << 32U | id.generation;
}

WorkerId worker_of(std::uint64_t tag) {
  return {static_cast<std::uint32_t>(tag >> 32U & 0xffffffU),
          static_cast<std::uint32_t>(tag & 0xffffffffU)};
}

/// Nothing to read and nobody left who could write.
bool at_end(int fd) {
  std::array<pollfd, 1> fds{{{fd, POLLIN, 0}}};
  const auto ready = sys::poll(fds, Duration::zero());
  return ready && (fds[0].revents & POLLHUP) != 0 && (fds[0].revents & POLLIN) == 0;
}

std::string name_of(WorkerId id) {
  return fmt::format("{}.{}", id.slot, id.generation);
}

}  // namespace

sys::Try<Descriptor> Caretaker::open_epoll(int wake_fd) {
  auto epoll = sys::epoll();
  if (!epoll) return epoll;
  const auto added = sys::epoll_add(epoll->get(), wake_fd, EPOLLIN,
                                    tag_of({}, static_cast<std::uint64_t>(Source::wake)));
  if (!added) return unexpected(added.error());
  return epoll;
}

Caretaker::Caretaker(std::shared_ptr<PoolState> state, Descriptor epoll)
    : state_(std::move(state)), epoll_(std::move(epoll)) {
  spawner_ = std::make_unique<Spawner>([this](WorkerId id, Expected<Child, LaunchError> child) {
    state_->started(id, std::move(child));
  });
  thread_ = std::thread([this] { run(); });
}

Caretaker::~Caretaker() {
  state_->stop();
  thread_.join();
  spawner_.reset();
  put_away_the_rest();
}

/// Only a close() that ran out of time leaves anybody here: they die with the spawner thread at the
/// latest.
void Caretaker::put_away_the_rest() {
  for (const auto& worker : state_->take_errands().adopt) adopt(worker);
  for (auto& [id, watched] : watched_) {
    Worker& worker = *watched.worker;
    if (worker.reaped) continue;
    (void)sys::signal_group(worker.pid(), SIGKILL);
    std::array<pollfd, 1> fds{{{worker.pidfd(), POLLIN, 0}}};
    const auto ended_in_time = sys::poll(fds, kReapingLimit);
    if (!ended_in_time || *ended_in_time == 0) continue;
    // A client may still be in a call on it.
    if (const auto status = sys::reap(worker.pidfd())) worker.publish(*status);
  }
}

void Caretaker::run() {
  std::array<epoll_event, 64> ready{};
  while (true) {
    Errands errands = state_->take_errands();
    for (const auto& worker : errands.adopt) adopt(worker);
    for (const auto& order : errands.orders) obey(order);
    watch_idle(errands.watch);
    if (errands.stopping) return;

    const Time now = sys::now();
    due(now);
    if (errands.deadline <= now) {
      state_->happened(pool::Tick{});
      continue;
    }
    if (!errands.orders.empty()) continue;  // what was just done may have brought new errands
    const Time until = std::min(errands.deadline, next_due());
    state_->naps_until(until);
    const Duration left =
        until == kNever ? Duration(-1) : std::max(Duration::zero(), until - sys::now());
    const auto count = sys::epoll_wait(epoll_.get(), ready, left);
    for (int i = 0; count && i < *count; ++i) woken(ready[static_cast<std::size_t>(i)].data.u64);
  }
}

// ---- orders
// --------------------------------------------------------------------------------------

void Caretaker::adopt(const std::shared_ptr<Worker>& worker) {
  const WorkerId id = worker->id();
  watched_[id].worker = worker;
  watch(id, watched_[id]);
}

/// A worker whose end nobody saw would never be reaped: what the kernel refuses is tried again.
void Caretaker::watch(WorkerId id, Watched& watched) {
  Worker& worker = *watched.worker;
  const auto add = [&](int fd, Source source, bool& done) {
    const auto tag = tag_of(id, static_cast<std::uint64_t>(source));
    if (!done) done = sys::epoll_add(epoll_.get(), fd, EPOLLIN, tag).has_value();
    return done;
  };
  bool all = add(worker.pidfd(), Source::end, watched.end_watched);
  if (worker.stderr_open)
    all = add(worker.stderr_fd(), Source::stderr_text, watched.stderr_watched) && all;
  if (watched.greeting && !watched.greeting->stdout_ended())
    all = add(worker.stdout_fd(), Source::greeting, worker.stdout_watched) && all;
  watched.watch_again_at = all ? kNever : after(sys::now(), kWatchAgain);
}

void Caretaker::obey(const pool::Effect& order) {
  if (const auto* start = std::get_if<pool::Start>(&order)) {
    const auto& options = state_->options();
    Command command = options.command_for ? options.command_for(start->worker) : options.command;
    command.env.push_back(fmt::format("POOLPROOF_SLOT={}", start->worker.slot));
    command.env.push_back(fmt::format("POOLPROOF_GENERATION={}", start->worker.generation));
    spawner_->start({start->worker, std::move(command)});
  } else if (const auto* handshake = std::get_if<pool::Handshake>(&order)) {
    begin_greeting(*handshake);
  } else if (const auto* stopping = std::get_if<pool::Stop>(&order)) {
    if (Watched* watched = find(stopping->worker)) stop(*watched, stopping->step);
  } else if (const auto* forgotten = std::get_if<pool::Forget>(&order)) {
    forget(forgotten->worker);
  }
}

/// Whoever keeps a worker keeps its descriptors open.
void Caretaker::forget(WorkerId id) {
  std::erase_if(to_watch_, [id](const auto& worker) { return worker->id() == id; });
  watched_.erase(id);
  state_->forget(id);
}

void Caretaker::begin_greeting(const pool::Handshake& order) {
  Watched* watched = find(order.worker);
  if (watched == nullptr) return;
  const auto& options = state_->options();
  // Bytes that are nobody's business have no ping: such a worker is good once it runs.
  if (options.opaque) return state_->handshake_ended(order.worker, {}, "");
  const nlohmann::json args{{"initialization", true}, {"worker_id", name_of(order.worker)}};
  auto frame =
      wire::encode_frame(options.framing, wire::encode_request(0, "ping", args, timestamp()));
  POOLPROOF_ASSERT(frame.has_value());
  const auto ping_bytes = static_cast<std::uint32_t>(frame->size());
  Worker& worker = *watched->worker;
  watched->greeting = std::make_unique<pool::Greeting>(
      worker, options.framing, std::move(*frame), order.deadline, options.core.postmortem_budget,
      [this, &worker] { state_->close_stdin(worker); });
  watched->greeting->exchange(sys::now());
  if (!watched->greeting->wants_to_write()) state_->pinged(*watched->worker, ping_bytes);
  watch(order.worker, *watched);
  finish_greeting(order.worker, *watched);
}

void Caretaker::greet(WorkerId id, Watched& watched) {
  if (!watched.greeting) return;
  watched.greeting->exchange(sys::now());
  if (watched.greeting->stdout_ended() && watched.worker->stdout_watched) {
    // A pipe at its end is always ready: it would keep us spinning.
    sys::epoll_remove(epoll_.get(), watched.worker->stdout_fd());
    watched.worker->stdout_watched = false;
  }
  finish_greeting(id, watched);
}

void Caretaker::finish_greeting(WorkerId id, Watched& watched) {
  if (!watched.greeting || !watched.greeting->evidence()) return;
  const pool::StartEvidence evidence = *watched.greeting->evidence();
  watched.greeting.reset();
  if (watched.worker->stdout_watched) sys::epoll_remove(epoll_.get(), watched.worker->stdout_fd());
  watched.worker->stdout_watched = false;
  if (evidence.cause != StartCause::none) drain_stderr(watched);
  state_->handshake_ended(id, evidence, watched.worker->stderr_tail());
}

/// A polite request, if its stdin takes the whole of it; the ladder's next rung comes by itself.
void Caretaker::ask_shutdown(Watched& watched) {
  Worker& worker = *watched.worker;
  const auto& options = state_->options();
  if (options.opaque) return state_->close_stdin(worker);
  const nlohmann::json args{{"worker_id", name_of(worker.id())}};
  const auto frame = wire::encode_frame(
      options.framing, wire::encode_request(worker.next_request, "shutdown", args, timestamp()));
  if (frame && worker.stdin_fd() >= 0) (void)sys::write(worker.stdin_fd(), *frame);
}

void Caretaker::stop(Watched& watched, pool::StopStep step) {
  if (step == pool::StopStep::ask) return ask_shutdown(watched);
  if (step == pool::StopStep::end_of_input) return state_->close_stdin(*watched.worker);
  // Once it is reaped, its group's number may belong to strangers.
  if (watched.worker->reaped) return;
  (void)sys::signal_group(watched.worker->pid(), step == pool::StopStep::kill ? SIGKILL : SIGTERM);
}

// ---- what the descriptors say
// --------------------------------------------------------------------

void Caretaker::woken(std::uint64_t tag) {
  const auto source = static_cast<Source>(tag >> 56U);
  if (source == Source::wake) {
    std::array<char, 8> count{};
    (void)sys::read(state_->wake_fd(), count);
    return;
  }
  const WorkerId id = worker_of(tag);
  Watched* watched = find(id);
  if (watched == nullptr) return;
  switch (source) {
    case Source::end:
      return ended(id, *watched);
    case Source::stderr_text:
      return drain_stderr(*watched);
    case Source::greeting:
      return greet(id, *watched);
    case Source::idle_stdout:
      return stray(id, *watched);
    case Source::wake:
      break;
  }
}

void Caretaker::drain_stderr(Watched& watched) {
  Worker& worker = *watched.worker;
  if (!worker.stderr_open || worker.drain_stderr()) return;
  worker.stderr_open = false;
  sys::epoll_remove(epoll_.get(), worker.stderr_fd());
}

/// Look at how it ended, take what it left, kill its group while the leader's number is still its
/// own, then reap.
void Caretaker::ended(WorkerId id, Watched& watched) {
  Worker& worker = *watched.worker;
  if (worker.reaped) return;
  const auto peeked = sys::peek_exit(worker.pidfd());
  if (peeked && !*peeked) return;  // woken for nothing
  // Only a stranger who has reaped our child is final; whatever else fails comes again by itself.
  if (!peeked && peeked.error() != ECHILD) return;
  drain_stderr(watched);
  const ExitStatus status = peeked ? **peeked : ExitStatus{};
  if (watched.greeting) {
    watched.greeting->process_ended(status, sys::now());
    finish_greeting(id, watched);
  }
  (void)sys::signal_group(worker.pid(), SIGKILL);
  const auto reaped = sys::reap(worker.pidfd());
  if (!reaped && reaped.error() != ECHILD) return;
  worker.reaped = true;
  sys::epoll_remove(epoll_.get(), worker.pidfd());
  if (worker.stderr_open) sys::epoll_remove(epoll_.get(), worker.stderr_fd());
  worker.stderr_open = false;
  if (worker.stdout_watched) sys::epoll_remove(epoll_.get(), worker.stdout_fd());
  worker.stdout_watched = false;
  watched.watch_again_at = kNever;
  worker.publish(status);
  state_->happened(pool::Exited{id, status});
}

/// An idle worker's stdout is readable, or at its end. The notice may be about a call that is long
/// over.
void Caretaker::stray(WorkerId id, Watched& watched) {
  Worker& worker = *watched.worker;
  sys::epoll_remove(epoll_.get(), worker.stdout_fd());
  worker.stdout_watched = false;
  if (worker.reaped) return;
  const auto unread = sys::unread_bytes(worker.stdout_fd());
  if (unread && *unread == 0) {
    watched.suspect_at = after(sys::now(), kSuspicion);
    return;
  }
  state_->strayed_if(id, [&worker] {
    const auto still = sys::unread_bytes(worker.stdout_fd());
    return still && *still > 0;
  });
}

// ---- what time brings
// ----------------------------------------------------------------------------

void Caretaker::due(Time now) {
  for (auto& [id, watched] : watched_) {
    if (watched.greeting) {
      watched.greeting->tick(now);
      finish_greeting(id, watched);
    }
    if (watched.watch_again_at <= now && !watched.worker->reaped) watch(id, watched);
    if (watched.suspect_at <= now) {
      watched.suspect_at = kNever;
      const int fd = watched.worker->stdout_fd();
      if (!watched.worker->reaped) state_->strayed_if(id, [fd] { return at_end(fd); });
    }
  }
  if (watch_at_ > now) return;
  watch_at_ = kNever;
  for (const auto& worker : std::exchange(to_watch_, {})) {
    if (worker->reaped || worker->stdout_watched || !state_->is_idle(worker->id())) continue;
    const auto tag = tag_of(worker->id(), static_cast<std::uint64_t>(Source::idle_stdout));
    worker->stdout_watched =
        sys::epoll_add(epoll_.get(), worker->stdout_fd(), EPOLLIN | EPOLLONESHOT, tag).has_value();
  }
}

void Caretaker::watch_idle(std::vector<std::shared_ptr<Worker>>& idle) {
  std::erase_if(idle, [](const auto& worker) { return worker->reaped; });
  if (idle.empty()) return;
  if (to_watch_.empty()) watch_at_ = after(sys::now(), kIdleBeforeWatch);
  to_watch_.insert(to_watch_.end(), idle.begin(), idle.end());
}

Time Caretaker::next_due() const {
  Time next = watch_at_;
  for (const auto& [id, watched] : watched_) {
    next = std::min({next, watched.suspect_at, watched.watch_again_at});
    if (watched.greeting) next = std::min(next, watched.greeting->next_deadline());
  }
  return next;
}

Caretaker::Watched* Caretaker::find(WorkerId id) {
  const auto found = watched_.find(id);
  return found == watched_.end() ? nullptr : &found->second;
}

}  // namespace poolproof::host

#include "harness/host/reactor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/host/census.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::host {
namespace {

using namespace std::chrono_literals;

/// Pause before a descriptor that could not be watched is tried again.
constexpr Duration kWatchAgain = 20ms;
/// How long the destructor waits for each process that outlived close().
constexpr Duration kReapingLimit = 1s;

/// A worker's place and the source, packed into the one number that epoll keeps.
std::uint64_t tag_of(std::uint32_t place, std::uint64_t source) {
  return std::uint64_t{place} << 8U | source;
}

Worker& own(pool::Worker& worker) {
  return static_cast<Worker&>(worker);
}

/// What to start as this worker. Error: command_for has thrown.
Expected<Command, LaunchError> command_of(const Options& options, WorkerId id) {
  if (!options.command_for) return options.command;
  std::string why = "an exception that is no std::exception";
  try {
    return options.command_for(id);
  } catch (const std::exception& thrown) {
    why = printable(thrown.what());
  } catch (...) {  // whatever it is, it must not end the program
  }
  return unexpected(LaunchError{ECANCELED, "command_for threw: " + why});
}

/// Sets a variable of an environment: of two entries a program would take the first.
void set_variable(std::vector<std::string>& env, std::string_view name, std::uint32_t value) {
  std::erase_if(env, [&](const std::string& entry) {
    return entry.starts_with(name) && entry.substr(name.size()).starts_with('=');
  });
  env.push_back(fmt::format("{}={}", name, value));
}

}  // namespace

sys::Try<Descriptor> Reactor::open_epoll(int wake_fd) {
  auto epoll = sys::epoll();
  if (!epoll) return epoll;
  const auto added = sys::epoll_add(epoll->get(), wake_fd, EPOLLIN,
                                    tag_of(0, static_cast<std::uint64_t>(Source::wake)));
  if (!added) return unexpected(added.error());
  return epoll;
}

Reactor::Reactor(std::shared_ptr<PoolState> state, Descriptor epoll)
    : state_(std::move(state)), epoll_(std::move(epoll)), loop_(state_->dispatcher(), *this) {
  loop_.begin(wire_of(state_->options()));
  spawner_ = std::make_unique<Spawner>([this](WorkerId id, Expected<Child, LaunchError> child) {
    state_->started(id, std::move(child));
  });
  thread_ = std::thread([this] { run(); });
}

Reactor::~Reactor() {
  state_->stop();
  thread_.join();
  spawner_.reset();
  put_away_the_rest();
}

/// Kills and reaps the workers that a close() which ran out of time has left. They die with the
/// spawner thread at the latest.
void Reactor::put_away_the_rest() {
  for (const auto& worker : state_->workers()) {
    if (worker->reaped) continue;
    worker->signal_group(SIGKILL);
    (void)sys::poll_one(own(*worker).pidfd(), POLLIN, kReapingLimit);
    // A client may still be in a call on it.
    (void)loop_.reap_if_ended(*worker);
  }
}

void Reactor::run() {
  std::array<epoll_event, 64> ready{};
  while (true) {
    const Inbox inbox = state_->take_inbox();
    for (const auto& worker : inbox.fresh) adopt(worker);
    for (const auto& order : inbox.orders) obey(order);
    for (const auto& worker : inbox.idle) {
      if (!worker->reaped) loop_.watch_later(*worker);
    }
    for (const auto& event : inbox.events) state_->options().on_event(event);
    if (inbox.stopping) return;

    const Time now = sys::now();
    due(now);
    if (inbox.deadline <= now) {
      state_->tick();
      continue;
    }
    if (!inbox.orders.empty()) continue;  // what was just done may have brought new ones
    const Time until = std::min(inbox.deadline, due_.earliest());
    state_->naps_until(until);
    const Duration left =
        until == kNever ? Duration(-1) : std::max(Duration::zero(), until - sys::now());
    const auto count = sys::epoll_wait(epoll_.get(), ready, left);
    for (int i = 0; count && i < *count; ++i) woken(ready[static_cast<std::size_t>(i)].data.u64);
  }
}

void Reactor::obey(const pool::Effect& order) {
  const auto* forgotten = std::get_if<pool::Forget>(&order);
  const pool::WorkerRef gone = forgotten != nullptr ? state_->find(forgotten->worker) : nullptr;
  loop_.obey(order);
  if (gone) forget(own(*gone));
}

void Reactor::woken(std::uint64_t tag) {
  const auto source = static_cast<Source>(tag & 0xffU);
  if (source == Source::wake) {
    std::array<char, 8> count{};
    (void)sys::read(state_->wake_fd(), count);
    return;
  }
  const pool::WorkerRef& worker = places_[tag >> 8U];
  if (!worker) return;
  switch (source) {
    case Source::end:
      if (loop_.reap_if_ended(*worker)) loop_.tell_end(*worker);
      if (state_->options().adopt_orphans) reap_dead_orphans();
      return;
    case Source::text:
      return loop_.drain_stderr(*worker);
    case Source::output:
      return worker->handshake ? loop_.advance_handshake(*worker)
                               : loop_.check_idle_worker(*worker);
    case Source::wake:
      return;
  }
}

void Reactor::due(Time now) {
  while (due_.earliest() <= now) {
    pool::Worker& worker = *places_[due_.first()];
    const auto wants = worker.wants();
    if (wants.handshake_due <= now) loop_.advance_handshake(worker);
    if (wants.idle_due <= now) loop_.check_idle_worker(worker);
    look(worker);
  }
}

// ---- what it watches ---------------------------------------------------------------------------

void Reactor::adopt(const pool::WorkerRef& worker) {
  if (free_places_.empty()) {
    free_places_.push_back(static_cast<std::uint32_t>(places_.size()));
    places_.emplace_back();
  }
  own(*worker).place = free_places_.back();
  free_places_.pop_back();
  places_[own(*worker).place] = worker;
  look(*worker);
}

/// Stops watching a worker. Its descriptors stay open for as long as anybody keeps the worker.
void Reactor::forget(Worker& worker) {
  const std::uint32_t place = std::exchange(worker.place, Worker::kNoPlace);
  due_.clear(place);
  places_[place].reset();
  free_places_.push_back(place);
}

/// Watches of a worker what it wants. What the kernel refuses is tried again: a worker whose end
/// nobody saw would never be reaped.
void Reactor::look(pool::Worker& any) {
  Worker& worker = own(any);
  if (worker.place == Worker::kNoPlace) return;
  const auto wants = worker.wants();
  bool all = watch(worker, worker.pidfd(), Source::end, wants.end, worker.end_watched);
  all = watch(worker, worker.stderr_fd(), Source::text, wants.text, worker.text_watched) && all;
  all =
      watch(worker, worker.stdout_fd(), Source::output, wants.output, worker.output_watched) && all;
  worker.watch_again_at = all ? kNever : after(sys::now(), kWatchAgain);
  due_.set(worker.place, std::min({wants.handshake_due, wants.idle_due, worker.watch_again_at}));
}

bool Reactor::watch(const Worker& worker, int fd, Source source, bool wanted, bool& watched) {
  if (wanted == watched) return true;
  if (!wanted) {
    sys::epoll_remove(epoll_.get(), fd);
    watched = false;
    return true;
  }
  const auto tag = tag_of(worker.place, static_cast<std::uint64_t>(source));
  watched = sys::epoll_add(epoll_.get(), fd, EPOLLIN, tag).has_value();
  return watched;
}

// ---- what the loop asks for --------------------------------------------------------------------

void Reactor::start(WorkerId id) {
  const auto& options = state_->options();
  auto command = command_of(options, id);
  if (!command) return state_->started(id, unexpected(std::move(command.error())));
  set_variable(command->env, "POOLPROOF_SLOT", id.slot);
  set_variable(command->env, "POOLPROOF_GENERATION", id.generation);
  const bool channel = wire::row_of(options.framing.wire).on_channel;
  spawner_->start({id, *std::move(command), {.channel = channel}});
}

}  // namespace poolproof::host

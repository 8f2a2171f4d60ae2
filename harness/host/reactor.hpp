#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "harness/host/descriptor.hpp"
#include "harness/host/spawner.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/pool/event_loop.hpp"

namespace poolproof::host {

/// The pool's one thread of its own besides the spawner: runs the event loop around epoll and a
/// heap of times, and ticks the Core. It never blocks on a worker.
class Reactor final : private pool::EventLoop::World {
 public:
  /// Opens the epoll that it waits on, with the pool's wake-up in it. Error: no descriptor or no
  /// memory is left.
  static sys::Try<Descriptor> open_epoll(int wake_fd);

  Reactor(std::shared_ptr<PoolState> state, Descriptor epoll);
  /// Stops the thread and joins it.
  ~Reactor() override;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

 private:
  /// Which descriptor of a worker is ready.
  enum class Source : std::uint8_t { wake, end, text, output };

  void start(WorkerId id) override;
  std::string timestamp() override { return sys::timestamp(); }
  void look(pool::Worker& worker) override;

  void run();
  void obey(const pool::Effect& order);
  void woken(std::uint64_t tag);
  void due(Time now);
  void adopt(const pool::WorkerRef& worker);
  void forget(Worker& worker);
  bool watch(const Worker& worker, int fd, Source source, bool wanted, bool& watched);
  void put_away_the_rest();

  std::shared_ptr<PoolState> state_;
  Descriptor epoll_;
  pool::EventLoop loop_;
  std::vector<pool::WorkerRef> places_;  ///< the workers that it watches; null: the place is free
  std::vector<std::uint32_t> free_places_;
  pool::Deadlines due_;  ///< the next deadline of each worker, by its place
  std::unique_ptr<Spawner> spawner_;
  std::thread thread_;
};

}  // namespace poolproof::host

#pragma once

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "harness/host/descriptor.hpp"
#include "harness/host/spawner.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/greeting.hpp"

namespace poolproof::host {

/// The pool's one thread of its own besides the spawner: it greets new workers, drains every
/// stderr, watches for ends and for stray output, carries out the Core's orders, ticks the Core,
/// and reaps. It never blocks on a worker.
class Caretaker {
 public:
  /// What it waits on, with the pool's wake-up in it. Error: no descriptor or no memory is left.
  static sys::Try<Descriptor> open_epoll(int wake_fd);

  Caretaker(std::shared_ptr<PoolState> state, Descriptor epoll);
  /// Stops and joins.
  ~Caretaker();
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

 private:
  /// What became ready: which descriptor of which worker.
  enum class Source : std::uint8_t { wake, end, stderr_text, greeting, idle_stdout };
  struct Watched {
    std::shared_ptr<Worker> worker;
    std::unique_ptr<pool::Greeting> greeting;
    bool end_watched = false;
    bool stderr_watched = false;
    Time watch_again_at = kNever;  ///< something of it could not be watched
    Time suspect_at = kNever;  ///< its stdout ended while idle: stray, unless it has exited by then
  };

  void run();
  void put_away_the_rest();
  void adopt(const std::shared_ptr<Worker>& worker);
  void watch(WorkerId id, Watched& watched);
  void obey(const pool::Effect& order);
  void forget(WorkerId id);
  void begin_greeting(const pool::Handshake& order);
  void greet(WorkerId id, Watched& watched);
  void finish_greeting(WorkerId id, Watched& watched);
  void ask_shutdown(Watched& watched);
  void stop(Watched& watched, pool::StopStep step);
  void woken(std::uint64_t tag);
  void drain_stderr(Watched& watched);
  void ended(WorkerId id, Watched& watched);
  void stray(WorkerId id, Watched& watched);
  void due(Time now);
  void watch_idle(std::vector<std::shared_ptr<Worker>>& idle);
  [[nodiscard]] Time next_due() const;
  Watched* find(WorkerId id);

  std::shared_ptr<PoolState> state_;
  Descriptor epoll_;
  std::map<WorkerId, Watched> watched_;
  std::vector<std::shared_ptr<Worker>> to_watch_;  ///< idle, not watched for strays yet
  Time watch_at_ = kNever;
  std::unique_ptr<Spawner> spawner_;
  std::thread thread_;
};

}  // namespace poolproof::host

#pragma once

#include <string>

#include "harness/pool/dispatcher.hpp"
#include "harness/pool/requests.hpp"

namespace poolproof::pool {

/// Carries the Core's orders out, the same in both worlds: greets workers, drains stderr, notices
/// ends and unsolicited output, reaps. It never waits: its world calls it when something is ready
/// or due.
///
/// Threads: one, which has not entered the dispatcher when it calls.
class EventLoop {
 public:
  /// What a world does for its event loop.
  class World {
   public:
    virtual ~World() = default;
    /// Begins to start a process; Dispatcher::started or start_failed tells what came of it.
    virtual void start(WorkerId id) = 0;
    /// The time of now, as requests state it.
    virtual std::string timestamp() = 0;
    /// What the loop waits for from that worker may have changed: see Worker::wants.
    virtual void look(Worker& worker) = 0;
  };

  EventLoop(Dispatcher& dispatcher, World& world) : dispatcher_(dispatcher), world_(world) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void begin(const WireOptions& wire) { wire_ = wire; }

  void obey(const Effect& order);

  /// A worker that is being greeted or pinged has written, or its deadline has come.
  void advance_handshake(Worker& worker);
  void drain_stderr(Worker& worker);
  /// If the process has ended: takes what it left, kills its group and reaps it. True: it has been
  /// reaped now, and whoever waits for that may go on before the Core is told by tell_end().
  bool reap_if_ended(Worker& worker);
  void tell_end(Worker& worker);
  /// The worker is idle: it is to be watched once it has been idle for a while.
  void watch_later(Worker& worker);
  /// An idle worker has written or closed its stdout, or it is time to watch it.
  void check_idle_worker(Worker& worker);

 private:
  void begin_handshake(Worker& worker, Time deadline);
  void note_answers(Worker& worker);
  void finish_handshake(Worker& worker);
  void begin_ping(Worker& worker, Time deadline);
  void ping_ended(Worker& worker, bool good);
  void measure_memory(const Worker& worker);
  void handshake_ended(Worker& worker, const StartEvidence& evidence, std::string reason);
  void take_stderr(Worker& worker);
  void stop(Worker& worker, StopStep step);
  void ask_shutdown(Worker& worker);
  void close_stdin(Worker& worker);
  void forget(WorkerId id);
  void hear_idle(Worker& worker);
  template <class Still>
  void unsolicited_if(Worker& worker, Still still);
  Worker* find(WorkerId id);

  Dispatcher& dispatcher_;
  World& world_;
  WireOptions wire_;
};

}  // namespace poolproof::pool

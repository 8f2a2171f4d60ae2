#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "harness/base/ids.hpp"
#include "harness/host/child.hpp"

namespace poolproof::host {

/// The one thread that starts processes: a start blocks until exec, and the parent-death signal is
/// tied to the thread that started. It lives as long as the pool; destroying it drops orders not
/// begun (their callbacks are never called) and joins.
class Spawner {
 public:
  struct Order {
    WorkerId worker;
    Command command;
    LaunchOptions options{};
  };
  /// Called on the spawner thread after each start.
  using Done = std::function<void(WorkerId, Expected<Child, LaunchError>)>;

  explicit Spawner(Done done);
  ~Spawner();
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  void start(Order order);

 private:
  void run();

  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Order> orders_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace poolproof::host

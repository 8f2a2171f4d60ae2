#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/event.hpp"
#include "harness/scenario/worker_milestones.hpp"
#include "harness/sim/client_script.hpp"

namespace poolproof::worlds {

using sim::Progress;

/// How far each client and worker has got, which clients may wait for. Thread-safe.
class Milestones {
 public:
  /// Notes that `client` has begun or ended `step`, or is done (step 0).
  void note(Progress progress, const std::string& client, std::uint32_t step);
  /// Notes the workers' moments. Called under the pool's mutex.
  void observed(const pool::Event& event, std::span<const pool::Effect> effects);

  /// Waits until a client or worker has got so far. False: `limit` was over first.
  bool await(Progress progress, const std::string& client, std::uint32_t step, Duration limit);
  bool await_worker(WorkerId worker, scenario::WorkerMoment moment, Duration limit);

  /// How many of the pool's events have been observed, and the wait for more than `seen`.
  [[nodiscard]] std::uint64_t events() const;
  bool await_events_after(std::uint64_t seen, Duration limit);

 private:
  template <class Predicate>
  bool await_that(Predicate predicate, Duration limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, predicate);
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::tuple<Progress, std::string, std::uint32_t>> reached_;
  scenario::WorkerMilestones workers_;
  std::uint64_t events_ = 0;
};

}  // namespace poolproof::worlds

#pragma once

#include <map>
#include <set>
#include <span>
#include <utility>

#include "harness/base/ids.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/event.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::scenario {

/// The moments of workers that a scenario may wait for (`await`), as the pool's events tell them.
class WorkerMilestones {
 public:
  void clear();
  void note(const pool::Event& event, std::span<const pool::Effect> effects);
  [[nodiscard]] bool has_been(WorkerId worker, WorkerMoment moment) const {
    return moments_.contains({worker, moment});
  }

 private:
  std::set<std::pair<WorkerId, WorkerMoment>> moments_;
  std::map<LeaseId, WorkerId> holders_;
};

}  // namespace poolproof::scenario

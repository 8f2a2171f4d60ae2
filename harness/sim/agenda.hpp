#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/sim/schedule.hpp"

namespace poolproof::sim {

/// What a task does. A task is its role and the number of the client or worker that it is about.
enum class Role : std::uint8_t {
  pool,       ///< number 0: obeys the Core's next order; 1: ticks the Core; 2: starts a process
  client,     ///< a client's next move
  handshake,  ///< the pool looks at a worker it greets
  end,        ///< the pool learns of a worker's end
  watch,      ///< the pool looks at an idle worker's stdout
  text,       ///< the pool drains a worker's stderr
  process,    ///< a worker process goes on
  offspring   ///< what a worker left behind comes to its end
};
using Task = std::uint32_t;
constexpr Task task_of(Role role, std::uint32_t number) {
  return number << 3U | static_cast<std::uint32_t>(role);
}
constexpr Role role_of(Task task) {
  return static_cast<Role>(task & 7U);
}
constexpr std::uint32_t number_of(Task task) {
  return task >> 3U;
}

/// Which tasks could go on now, and which will at which time. Virtual time passes only when none
/// can go on now: so everything is as fast as can be, and only the order is open.
class Agenda {
 public:
  void clear();

  void set_ready(Task task, bool ready) {
    const std::uint8_t role = bit_of(role_of(task));
    set_ready(number_of(task), role, ready ? role : std::uint8_t{0});
  }
  /// Sets several roles of one number at once, as bits: of those in `roles` exactly those in
  /// `ready` are ready.
  void set_ready(std::uint32_t number, std::uint8_t roles, std::uint8_t ready) {
    if (number >= who_.size()) grow(number);
    const auto differing = static_cast<std::uint8_t>((who_[number].ready ^ ready) & roles);
    if (differing != 0) change(who_[number], number, differing);
  }
  static constexpr std::uint8_t bit_of(Role role) {
    return static_cast<std::uint8_t>(1U << static_cast<std::uint32_t>(role));
  }
  /// The task becomes ready at that time, instead of the one it may have had; kNever: never by
  /// itself.
  void set_time(Task task, Time at) {
    if (number_of(task) >= who_.size()) grow(number_of(task));
    set_known(task, at);
  }
  /// Sets the times of all roles of a worker that have one.
  void set_times(std::uint32_t number, Time greet, Time watch, Time process, Time offspring) {
    if (number >= who_.size()) grow(number);
    set_known(task_of(Role::handshake, number), greet);
    set_known(task_of(Role::watch, number), watch);
    set_known(task_of(Role::process, number), process);
    set_known(task_of(Role::offspring, number), offspring);
  }
  void drop(Task task);

  [[nodiscard]] bool anybody_ready() const { return ready_count_ > 0; }
  /// Whether more tasks are ready than are chosen from.
  [[nodiscard]] bool crowded() const { return ready_count_ > kWindow; }
  [[nodiscard]] Time earliest() {
    update_times();
    return times_.earliest();
  }
  /// Makes every task ready whose time has come by `now`.
  void arrive(Time now);
  /// The task that goes on. It is not ready any more until somebody says so. Requires:
  /// anybody_ready().
  Task next(Schedule& schedule);

 private:
  /// The roles of one number, a bit for each.
  struct Who {
    std::uint8_t ready = 0;
    std::uint8_t queued = 0;  ///< has an entry in the queue, dead or not
  };
  struct Alarm {
    Time at = kNever;
    bool untold = false;  ///< has changed since times_ was told
  };

  void grow(std::uint32_t number);
  void set_known(Task task, Time at) {
    Alarm& alarm = alarms_[task];
    if (alarm.at == at) return;
    alarm.at = at;
    if (!std::exchange(alarm.untold, true)) untold_.push_back(task);
  }
  void change(Who& who, std::uint32_t number, std::uint8_t roles);
  void update_times();
  void bury_dead();
  void take_out(std::size_t at);

  /// How many ready tasks are chosen from, the first in the queue: this bounds the cost of a
  /// choice.
  static constexpr std::size_t kWindow = 16;

  /// Ready tasks, in the order in which they became so, and dead entries.
  std::vector<Task> queue_;
  std::size_t head_ = 0;  ///< the first entry that has not been taken
  std::vector<Who> who_;  ///< which roles are ready, by number
  std::size_t ready_count_ = 0;
  std::vector<Alarm> alarms_;  ///< when each task becomes ready, by task
  /// The tasks whose time has changed: most change again before time goes on, and the heap is told
  /// only then.
  std::vector<Task> untold_;
  pool::Deadlines times_;
};

}  // namespace poolproof::sim

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fake_workers/plan.hpp"
#include "harness/wrap/machine.hpp"

/// What the tests of the machine share: a world of its own for it.
namespace poolproof::wrap::testing {

inline Time at_ms(std::int64_t ms) {
  return Time(std::chrono::milliseconds(ms));
}

/// A plan file's faults.
inline faults::Plan plan_of(const std::string& faults) {
  return faults::read_plan(R"({"plan_version":1,"faults":[)" + faults + "]}", "plan",
                           faults::AimedBy::words)
      .value();
}

/// A machine between a client and a worker that both take all at once, or `takes` bytes at a time.
class Between {
 public:
  explicit Between(std::string_view faults, Speech speech = Speech::bridge, wire::Framing on = {},
                   bool journals = true)
      : framing(on), plan(plan_of(std::string(faults))), machine({on, speech, {}, plan, journals}) {
    machine.start(now);
    move();
  }

  [[nodiscard]] std::string frame(std::string_view payload) const {
    return wire::encode_frame(framing, payload).value();
  }
  void ask(std::string_view payload) { from_client(frame(payload)); }
  void reply(std::string_view payload) { from_worker(frame(payload)); }
  void from_client(std::string_view bytes) {
    machine.from_client(bytes, now);
    move();
  }
  void from_worker(std::string_view bytes) {
    machine.from_worker(bytes, now);
    move();
  }
  void end_input() {
    machine.client_ended(now);
    move();
  }
  void exit(ExitStatus status) {
    machine.worker_exited(status, now);
    move();
  }
  void term() {
    machine.term(now);
    move();
  }
  void pass(std::int64_t ms) {
    now = after(now, std::chrono::milliseconds(ms));
    machine.tick(now);
    move();
  }

  /// Of the orders that were given so far.
  template <class Wanted>
  [[nodiscard]] std::vector<Wanted> all() const {
    std::vector<Wanted> found;
    for (const Order& order : orders) {
      if (const auto* const one = std::get_if<Wanted>(&order)) found.push_back(*one);
    }
    return found;
  }
  /// `started read 0 ping receipt reply_late 0 wrote 0`: the journal.
  [[nodiscard]] std::string journal() const {
    std::string text;
    for (const auto& record : all<faults::JournalRecord>()) {
      text += std::string(text.empty() ? "" : ", ").append(faults::name(record.kind));
      if (!record.fault.empty()) text += " " + record.fault;
      if (record.request) text += " " + std::to_string(*record.request);
      if (record.command) text += " " + *record.command;
    }
    return text;
  }

  void move() {
    for (bool again = true; again;) {
      again = false;
      for (Order& order : machine.take_orders()) orders.push_back(std::move(order));
      const std::string_view down = machine.to_worker().substr(0, takes);
      to_worker += down;
      const std::size_t taken = down.size();
      if (taken > 0) machine.wrote_to_worker(taken);
      const std::string_view up = machine.to_client(now).substr(0, takes);
      if (!up.empty()) writes.emplace_back(up);
      to_client += up;
      const std::size_t given = up.size();
      if (given > 0) machine.wrote_to_client(given, now);
      again = taken + given > 0;
    }
    for (Order& order : machine.take_orders()) orders.push_back(std::move(order));
  }

  wire::Framing framing;
  faults::Plan plan;
  Time now = at_ms(1000);
  std::size_t takes = std::string_view::npos;
  Machine machine;
  std::vector<Order> orders;
  std::string to_worker;
  std::string to_client;
  std::vector<std::string> writes;  ///< what to_client came in
};

}  // namespace poolproof::wrap::testing

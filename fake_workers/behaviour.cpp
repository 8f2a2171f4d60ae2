#include "fake_workers/behaviour.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace poolproof::faults {
void WorkerState::begin() {
  reading = Reading::frames;
  over = answers_unread = false;
  read_bytes = 0;
  read_at_most = std::numeric_limits<std::size_t>::max();
  buffer.clear();
  last_reply.clear();
  held = 0;
}

void WorkerState::stop_reading(Actions& out) {
  reading = Reading::nothing;
  out.emplace_back(StopReading{});
}

void WorkerState::hold_back(Write write, const Journal& wrote, Actions& out) {
  buffer.emplace_back(std::move(write));
  buffer.emplace_back(wrote);
  out.emplace_back(HoldBack{});
}

void WorkerState::held_back() {
  constexpr std::size_t kActionsOfOne = 2;
  held = std::min(held + kActionsOfOne, buffer.size());
}

void WorkerState::flush(Actions& out) {
  for (Action& action : buffer) out.push_back(std::move(action));
  buffer.clear();
  held = 0;
}

void WorkerState::exit(int code, Actions& out) {
  flush(out);
  Journal exiting{JournalRecord::Kind::exiting};
  exiting.code = code;
  out.emplace_back(exiting);
  out.emplace_back(Exit{code});
  over = true;
}

void WorkerState::end(const Cut& cut, Actions& out) {
  if (cut.then == Ending::exit) return exit(cut.code, out);
  constexpr int kKill = 9;
  out.emplace_back(Raise{kKill});
  over = true;
}

void Scene::receipt() const {
  Journal receipt{JournalRecord::Kind::receipt, request};
  receipt.fault = &fault;
  out.emplace_back(receipt);
}

void Scene::pause() const {
  out.emplace_back(Pause{std::chrono::milliseconds(number("delay_ms"))});
}

}  // namespace poolproof::faults

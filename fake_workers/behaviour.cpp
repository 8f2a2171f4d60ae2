#include "fake_workers/behaviour.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "harness/base/assert.hpp"

namespace poolproof::faults {
namespace {

constexpr int kKill = 9;

}  // namespace

void Life::begin() {
  reading = Reading::frames;
  over = answers_unread = false;
  read_bytes = 0;
  read_at_most = std::numeric_limits<std::size_t>::max();
  buffer.clear();
  held = 0;
}

void Life::stop_reading(Actions& out) {
  reading = Reading::nothing;
  out.emplace_back(StopReading{});
}

void Life::hold_back(Write write, const Journal& wrote, Actions& out) {
  buffer.emplace_back(std::move(write));
  buffer.emplace_back(wrote);
  out.emplace_back(HoldBack{});
}

void Life::held_back() {
  constexpr std::size_t kActionsOfOne = 2;
  held = std::min(held + kActionsOfOne, buffer.size());
}

void Life::flush(Actions& out) {
  for (Action& action : buffer) out.push_back(std::move(action));
  buffer.clear();
  held = 0;
}

void Life::exit(int code, Actions& out) {
  flush(out);
  Journal exiting{JournalRecord::Kind::exiting};
  exiting.code = code;
  out.emplace_back(exiting);
  out.emplace_back(Exit{code});
  over = true;
}

void Life::end(const Cut& cut, Actions& out) {
  if (cut.then == Ending::exit) return exit(cut.code, out);
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

namespace {

const Behaviour* search(std::string_view fault) {
  for (const auto family :
       {drop_behaviours(), misframe_behaviours(), delay_behaviours(), shutdown_behaviours()}) {
    for (const Behaviour& behaviour : family) {
      if (behaviour.fault == fault) return &behaviour;
    }
  }
  return nullptr;
}

/// By the place of the fault in the catalogue.
const std::vector<const Behaviour*>& behaviours() {
  static const auto all = [] {
    std::vector<const Behaviour*> found;
    for (const Fault& fault : catalogue()) found.push_back(search(fault.name));
    return found;
  }();
  return all;
}

}  // namespace

const Behaviour& behaviour_of(const Fault& fault) {
  const auto place = static_cast<std::size_t>(&fault - catalogue().data());
  POOLPROOF_ASSERT(place < behaviours().size());
  const Behaviour* const found = behaviours()[place];
  POOLPROOF_ASSERT(found != nullptr);
  return *found;
}

}  // namespace poolproof::faults

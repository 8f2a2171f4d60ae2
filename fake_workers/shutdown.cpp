#include <array>

#include "fake_workers/behaviour.hpp"

/// Faults by which a worker does not leave as it is told to.
namespace poolproof::faults {
namespace {

using Cause = Departure::Cause;

void stay(const Scene& scene) {
  scene.receipt();
  scene.departure->stays = true;
}

void stdin_end_ignored(const Scene& scene) {
  if (scene.departure->cause != Cause::term) stay(scene);
}

void term_ignored(const Scene& scene) {
  if (scene.departure->cause == Cause::term) stay(scene);
}

void shutdown_not_obeyed(const Scene& scene) {
  if (scene.departure->cause == Cause::request) stay(scene);
}

void exit_slow(const Scene& scene) {
  scene.receipt();
  scene.pause();
}

void exit_code_at_shutdown(const Scene& scene) {
  scene.receipt();
  scene.departure->code = static_cast<int>(scene.number("code"));
}

void grandchild_left(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(Fork{std::chrono::milliseconds(scene.number("lifetime_ms"))});
}

constexpr std::array kBehaviours{
    Behaviour{"stdin_end_ignored", Stage::stay, stdin_end_ignored},
    Behaviour{"term_ignored", Stage::stay, term_ignored},
    Behaviour{"exit_slow", Stage::leave, exit_slow},
    Behaviour{"shutdown_not_obeyed", Stage::stay, shutdown_not_obeyed},
    Behaviour{"exit_code_at_shutdown", Stage::leave, exit_code_at_shutdown},
    Behaviour{"grandchild_left", Stage::request, grandchild_left},
};

}  // namespace

std::span<const Behaviour> shutdown_behaviours() {
  return kBehaviours;
}

}  // namespace poolproof::faults

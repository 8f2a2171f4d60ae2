#include <algorithm>
#include <array>

#include "fake_workers/behaviour.hpp"

/// Faults by which a reply, or the worker, does not come.
namespace poolproof::faults {
namespace {

void reply_dropped(const Scene& scene) {
  scene.receipt();
  scene.reply->dropped = true;
}

/// A request that is no longer than what it reads is read and answered.
void reading_stopped(const Scene& scene) {
  const Cut cut = cut_of(scene.fault);
  Life& life = scene.life;
  if (life.read_bytes < cut.keep_bytes) {
    life.read_at_most = std::min(life.read_at_most, cut.keep_bytes);
    return;
  }
  scene.receipt();
  if (cut.then == Ending::close) scene.out.emplace_back(CloseStdin{});
  if (cut.then == Ending::answer) {
    life.answers_unread = true;
  } else if (cut.then == Ending::exit || cut.then == Ending::kill) {
    life.end(cut, scene.out);
  } else {
    life.stop_reading(scene.out);
  }
}

void exit_with_code(const Scene& scene) {
  scene.receipt();
  scene.life.exit(static_cast<int>(scene.number("code")), scene.out);
}

void raise_signal(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(Raise{static_cast<int>(scene.number("signal"))});
}

void stdout_closed(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(CloseStdout{});
  scene.life.reading = Life::Reading::discarding;
}

void stdin_closed(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(CloseStdin{});
  scene.life.stop_reading(scene.out);
}

/// A worker that runs can't show it.
void start_fails(const Scene&) {}

void exit_at_start(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(WriteStderr{scene.text("stderr_text") + "\n"});
  scene.life.exit(static_cast<int>(scene.number("code")), scene.out);
}

constexpr std::array kBehaviours{
    Behaviour{"reply_dropped", Stage::writing, reply_dropped},
    Behaviour{"reading_stopped", Stage::before_read, reading_stopped},
    Behaviour{"exit_mid_call", Stage::request, exit_with_code},
    Behaviour{"killed_mid_call", Stage::request, raise_signal},
    Behaviour{"stdout_closed", Stage::request, stdout_closed},
    Behaviour{"stdin_closed", Stage::idle, stdin_closed},
    Behaviour{"start_fails", Stage::launch, start_fails},
    Behaviour{"exit_at_start", Stage::start, exit_at_start},
    Behaviour{"killed_at_start", Stage::start, raise_signal},
    Behaviour{"exit_while_idle", Stage::idle, exit_with_code},
};

}  // namespace

std::span<const Behaviour> drop_behaviours() {
  return kBehaviours;
}

}  // namespace poolproof::faults

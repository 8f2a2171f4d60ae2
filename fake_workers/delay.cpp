#include <array>

#include "fake_workers/behaviour.hpp"

/// Faults by which the right bytes come late or in pieces.
namespace poolproof::faults {
namespace {

void pause_first(const Scene& scene) {
  scene.receipt();
  scene.pause();
}

void reply_trickled(const Scene& scene) {
  scene.receipt();
  scene.reply->chunk_bytes = static_cast<std::size_t>(scene.number("chunk_bytes"));
  scene.reply->gap = std::chrono::milliseconds(scene.number("gap_ms"));
}

void reply_fragmented(const Scene& scene) {
  scene.receipt();
  scene.reply->chunk_bytes = static_cast<std::size_t>(scene.number("chunk_bytes"));
}

void reply_unflushed(const Scene& scene) {
  scene.receipt();
  scene.reply->held_back = true;
}

void stderr_flood(const Scene& scene) {
  scene.receipt();
  constexpr std::size_t kLineBytes = 80;
  std::string text(static_cast<std::size_t>(scene.number("text_bytes")), 'x');
  for (std::size_t end = kLineBytes; end <= text.size(); end += kLineBytes) text[end - 1] = '\n';
  scene.out.emplace_back(WriteStderr{std::move(text)});
}

constexpr std::array kBehaviours{
    Behaviour{"import_slow", Stage::start, pause_first},
    Behaviour{"reply_slow", Stage::pause, pause_first},
    Behaviour{"reply_late", Stage::pause, pause_first},
    Behaviour{"reply_trickled", Stage::writing, reply_trickled},
    Behaviour{"reply_fragmented", Stage::writing, reply_fragmented},
    Behaviour{"reply_unflushed", Stage::writing, reply_unflushed},
    Behaviour{"stderr_flood", Stage::request, stderr_flood},
};

}  // namespace

std::span<const Behaviour> delay_behaviours() {
  return kBehaviours;
}

}  // namespace poolproof::faults

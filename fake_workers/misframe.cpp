#include <algorithm>
#include <array>
#include <charconv>

#include "fake_workers/behaviour.hpp"
#include "harness/base/assert.hpp"

/// Faults by which bytes come that are not the frame they should be.
namespace poolproof::faults {
namespace {

using Header = ReplyInProgress::Header;

/// A frame over the limit is written whole up to this length; of a longer one the header says all.
constexpr std::size_t kWholeMostBytes = 10'000;

void banner(const Scene& scene) {
  scene.receipt();
  scene.out.emplace_back(Write{scene.text("text")});
}

void input_read_as_lines(const Scene& scene) {
  scene.receipt();
  scene.life.reading = Life::Reading::lines;
}

void text_before_reply(const Scene& scene) {
  scene.receipt();
  scene.reply->text_before += scene.text("text");
}

void text_after_reply(const Scene& scene) {
  scene.receipt();
  scene.reply->text_after += scene.text("text");
}

void text_while_idle(const Scene& scene) {
  if (scene.number("delay_ms") > 0) scene.pause();
  scene.receipt();
  scene.out.emplace_back(Write{scene.text("text")});
}

void reply_truncated(const Scene& scene) {
  scene.receipt();
  scene.reply->cut = cut_of(scene.fault);
}

void length_too_long(const Scene& scene) {
  scene.receipt();
  scene.reply->length_error += scene.number("extra_bytes");
}

void length_too_short(const Scene& scene) {
  scene.receipt();
  scene.reply->length_error -= scene.number("missing_bytes");
}

void length_over_limit(const Scene& scene) {
  scene.receipt();
  scene.reply->header = Header::over_limit;
  scene.reply->over_bytes = scene.number("over_bytes");
  const std::size_t size =
      scene.reply->payload_limit + static_cast<std::size_t>(scene.reply->over_bytes);
  if (size <= kWholeMostBytes) scene.reply->pad_to = size;
}

void reply_padded(const Scene& scene) {
  const auto asked = static_cast<std::size_t>(scene.number("payload_bytes"));
  const std::size_t size = std::min(asked, scene.reply->payload_limit);
  if (scene.reply->payload_size() >= size) return;
  scene.receipt();
  scene.reply->pad_to = size;
}

template <Header header>
void wrong_header(const Scene& scene) {
  scene.receipt();
  scene.reply->header = header;
}

void json_invalid(const Scene& scene) {
  scene.receipt();
  std::string payload = scene.reply->payload_bytes();
  if (!payload.empty()) payload.pop_back();  // other faults may have left nothing
  scene.reply->payload = payload;
}

void utf8_invalid(const Scene& scene) {
  scene.receipt();
  scene.reply->payload =
      "{\"error\":null,\"id\":" + scene.reply->id +
      ",\"result\":\"\xff\xfe\",\"success\":true,\"timestamp\":" + scene.reply->timestamp + "}";
}

void nan_result(const Scene& scene) {
  scene.receipt();
  scene.reply->success = true;
  scene.reply->body = "NaN";
}

void json_deep(const Scene& scene) {
  scene.receipt();
  const auto depth = static_cast<std::size_t>(scene.number("depth"));
  scene.reply->payload = std::string(depth, '[') + std::string(depth, ']');
}

void id_wrong(const Scene& scene) {
  scene.receipt();
  std::string& id = scene.reply->id;
  std::int64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  // Modulo 2^64: an id at the edge must not be undefined behaviour.
  const auto wrong =
      static_cast<std::uint64_t>(number) + static_cast<std::uint64_t>(scene.number("offset"));
  id = std::to_string(static_cast<std::int64_t>(wrong));
}

void id_text(const Scene& scene) {
  scene.receipt();
  scene.reply->id = "\"" + scene.reply->id + "\"";
}

void success_missing(const Scene& scene) {
  scene.receipt();
  scene.reply->names_success = false;
}

void id_fraction(ReplyInProgress& reply) {
  reply.id += ".5";  // whoever cuts the fraction off finds the id that it expects
}

void no_result(ReplyInProgress& reply) {
  reply.success = true;
  reply.body.clear();
}

void result_list(ReplyInProgress& reply) {
  reply.success = true;
  reply.body = "[]";
  // Nothing of the request is given back.
  reply.nonce.clear();
  reply.pad_bytes = 0;
}

void null_id_error(ReplyInProgress& reply) {
  reply.id = "null";
  reply.success = false;
  reply.body = json_text("the request has no integer id");
}

/// In the order of kShapeNames.
constexpr std::array kShapes{id_fraction, no_result, result_list, null_id_error};
static_assert(kShapes.size() == kShapeNames.size());

void reply_reshaped(const Scene& scene) {
  scene.receipt();
  const auto* const shape = std::find(kShapeNames.begin(), kShapeNames.end(), scene.text("shape"));
  POOLPROOF_ASSERT(shape != kShapeNames.end());
  kShapes[static_cast<std::size_t>(shape - kShapeNames.begin())](*scene.reply);
}

void reply_twice(const Scene& scene) {
  scene.receipt();
  scene.reply->copies = 2;
}

void error_reply(const Scene& scene) {
  scene.receipt();
  scene.reply->success = false;
  scene.reply->body = json_text(scene.text("message"));
}

constexpr std::array kBehaviours{
    Behaviour{"banner", Stage::start, banner},
    Behaviour{"input_read_as_lines", Stage::first_bytes, input_read_as_lines},
    Behaviour{"reply_unframed", Stage::content, wrong_header<Header::none>},
    Behaviour{"text_before_reply", Stage::content, text_before_reply},
    Behaviour{"text_after_reply", Stage::content, text_after_reply},
    Behaviour{"text_while_idle", Stage::idle, text_while_idle},
    Behaviour{"reply_truncated", Stage::writing, reply_truncated},
    Behaviour{"length_too_long", Stage::content, length_too_long},
    Behaviour{"length_too_short", Stage::content, length_too_short},
    Behaviour{"length_little_endian", Stage::content, wrong_header<Header::little_endian>},
    Behaviour{"length_zero", Stage::content, wrong_header<Header::zero>},
    Behaviour{"length_huge", Stage::content, wrong_header<Header::huge>},
    Behaviour{"length_over_limit", Stage::content, length_over_limit},
    Behaviour{"json_invalid", Stage::content, json_invalid},
    Behaviour{"utf8_invalid", Stage::content, utf8_invalid},
    Behaviour{"nan_result", Stage::content, nan_result},
    Behaviour{"json_deep", Stage::content, json_deep},
    Behaviour{"id_wrong", Stage::content, id_wrong},
    Behaviour{"id_text", Stage::content, id_text},
    Behaviour{"success_missing", Stage::content, success_missing},
    Behaviour{"reply_reshaped", Stage::content, reply_reshaped},
    Behaviour{"reply_twice", Stage::content, reply_twice},
    Behaviour{"error_reply", Stage::content, error_reply},
    Behaviour{"reply_padded", Stage::content, reply_padded},
};

}  // namespace

std::span<const Behaviour> misframe_behaviours() {
  return kBehaviours;
}

}  // namespace poolproof::faults

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "fake_workers/behaviour.hpp"
#include "harness/base/assert.hpp"

/// What a worker does when a fault strikes, fault by fault.
namespace poolproof::faults {
namespace {

using Cause = Departure::Cause;
using Header = ReplyInProgress::Header;
using Reading = WorkerState::Reading;

/// A frame over the limit is written whole up to this length; a longer one shows by its header
/// alone.
constexpr std::size_t kWholeMostBytes = 10'000;

// ---- no reply, or no worker ---------------------------------------------------------------------

/// Stops within a request, after `keep_bytes`. A request that is not longer is read and answered.
void reading_stopped(const Scene& scene) {
  const Cut cut = cut_of(scene.fault);
  WorkerState& state = scene.state;
  if (state.read_bytes < cut.keep_bytes) {
    state.read_at_most = std::min(state.read_at_most, cut.keep_bytes);
    return;
  }
  scene.receipt();
  if (cut.then == Ending::close) scene.out.emplace_back(CloseStdin{});
  if (cut.then == Ending::answer) {
    state.answers_unread = true;
  } else if (cut.then == Ending::exit || cut.then == Ending::kill) {
    state.end(cut, scene.out);
  } else {
    state.stop_reading(scene.out);
  }
}

void exit_with_code(const Scene& scene) {
  scene.state.exit(static_cast<int>(scene.number("code")), scene.out);
}

void raise_signal(const Scene& scene) {
  scene.out.emplace_back(Raise{static_cast<int>(scene.number("signal"))});
}

void stdout_closed(const Scene& scene) {
  scene.out.emplace_back(CloseStdout{});
  scene.state.reading = Reading::discarding;
}

void stdin_closed(const Scene& scene) {
  scene.out.emplace_back(CloseStdin{});
  scene.state.stop_reading(scene.out);
}

void exit_at_start(const Scene& scene) {
  // In two pieces, like a program that prints without a buffer.
  scene.out.emplace_back(WriteStderr{scene.text("stderr_text")});
  scene.out.emplace_back(WriteStderr{"\n"});
  exit_with_code(scene);
}

// ---- bytes that are not the frame that they should be -------------------------------------------

void write_text(const Scene& scene) {
  scene.out.emplace_back(Write{scene.text("text")});
}

void text_while_idle(const Scene& scene) {
  if (scene.number("delay_ms") > 0) scene.pause();
  scene.receipt();
  write_text(scene);
}

template <Header header>
void wrong_header(const Scene& scene) {
  scene.reply->header = header;
}

/// Announces the number of characters as the length; strikes only if the text is not all ASCII.
void length_in_characters(const Scene& scene) {
  const std::string payload = scene.reply->payload_bytes();
  const auto more = std::ranges::count_if(
      payload, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; });
  if (more == 0) return;
  scene.receipt();
  scene.reply->length_error -= more;
}

void header_malformed(const Scene& scene) {
  if (scene.reply->framing.wire != wire::Wire::headers) return;
  scene.receipt();
  scene.reply->header = Header::malformed;
  scene.reply->malformation = scene.text("shape");
}

void length_over_limit(const Scene& scene) {
  ReplyInProgress& reply = *scene.reply;
  reply.header = Header::over_limit;
  reply.over_bytes = scene.number("over_bytes");
  const std::size_t size =
      reply.framing.payload_limit() + static_cast<std::size_t>(reply.over_bytes);
  if (size <= kWholeMostBytes) reply.pad_to = size;
}

void reply_padded(const Scene& scene) {
  const auto asked = static_cast<std::size_t>(scene.number("payload_bytes"));
  const std::size_t size = std::min(asked, scene.reply->framing.payload_limit());
  if (scene.reply->payload_size() >= size) return;
  scene.receipt();
  scene.reply->pad_to = size;
}

void json_invalid(const Scene& scene) {
  std::string payload = scene.reply->payload_bytes();
  if (!payload.empty()) payload.pop_back();  // the payload is empty if another fault has emptied it
  scene.reply->payload = payload;
}

void utf8_invalid(const Scene& scene) {
  // `body` is for wrap, which keeps the rest of a real reply; elsewhere `payload` replaces all of
  // it.
  scene.reply->success = true;
  scene.reply->body = "\"\xff\xfe\"";
  scene.reply->payload =
      "{\"error\":null,\"id\":" + scene.reply->id +
      ",\"result\":\"\xff\xfe\",\"success\":true,\"timestamp\":" + scene.reply->timestamp + "}";
}

void json_deep(const Scene& scene) {
  const auto depth = static_cast<std::size_t>(scene.number("depth"));
  scene.reply->payload = std::string(depth, '[') + std::string(depth, ']');
}

void id_wrong(const Scene& scene) {
  std::string& id = scene.reply->id;
  std::int64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  // Computed modulo 2^64: an id at the edge must not be undefined behaviour.
  const auto wrong =
      static_cast<std::uint64_t>(number) + static_cast<std::uint64_t>(scene.number("offset"));
  id = std::to_string(static_cast<std::int64_t>(wrong));
}

bool is_text(const std::string& id) {
  return id.starts_with('"');
}

/// Makes the id a text; an id that is a text becomes a text of that text.
void id_text(const Scene& scene) {
  std::string& id = scene.reply->id;
  id = is_text(id) ? json_text(id) : "\"" + id + "\"";
}

/// Gives the id a fraction: a reader that cuts it off finds the id that it expects.
void id_fraction(ReplyInProgress& reply) {
  if (reply.id == "null") reply.id = "0";
  reply.id.insert(reply.id.size() - (is_text(reply.id) ? 1 : 0), ".5");
}

void with_result(ReplyInProgress& reply, std::string_view json) {
  reply.success = true;
  reply.body = json;
}

void with_error(ReplyInProgress& reply, std::string_view message) {
  reply.success = false;
  reply.body = json_text(message);
}

void result_list(ReplyInProgress& reply) {
  with_result(reply, "[]");
  // The reply must not repeat anything of the request.
  reply.nonce.clear();
  reply.pad_bytes = 0;
}

void null_id_error(ReplyInProgress& reply) {
  reply.id = "null";
  with_error(reply, "the request has no integer id");
}

void id_null(ReplyInProgress& reply) {
  reply.id = "null";
}

void null_reply(ReplyInProgress& reply) {
  reply.payload = "null";
}

void batch(ReplyInProgress& reply) {
  reply.payload = "[" + reply.payload_bytes() + "]";
}

/// The functions that reshape a reply, in the order of kShapeNames.
constexpr std::array<void (*)(ReplyInProgress&), kShapeNames.size()> kShapes{
    id_fraction, [](ReplyInProgress& reply) { with_result(reply, ""); },
    result_list, null_id_error,
    id_null,     null_reply,
    batch};

void reply_reshaped(const Scene& scene) {
  const auto* const shape = std::ranges::find(kShapeNames, scene.text("shape"));
  POOLPROOF_ASSERT(shape != kShapeNames.end());
  kShapes[static_cast<std::size_t>(shape - kShapeNames.begin())](*scene.reply);
}

/// Puts frames in front of the reply. A first reply has none before it that could be repeated.
void frames_before_reply(const Scene& scene) {
  ReplyInProgress& reply = *scene.reply;
  if (repeats_reply(scene.fault)) {
    if (scene.state.last_reply.empty()) return;
    scene.receipt();
    reply.bytes_before += scene.state.last_reply;
    return;
  }
  scene.receipt();
  const std::string& shape = scene.text("shape");
  const auto count = static_cast<std::uint64_t>(scene.number("frames"));
  if (shape == "request_same_id") reply.asks_with_its_id += count;
  const std::string event = framed(reply.framing, event_payload(reply.speech));
  reply.bytes_before.reserve(reply.bytes_before.size() + count * event.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    if (shape == "event") {
      reply.bytes_before += event;
    } else {
      const std::string own_id = fmt::format("\"{}{}\"", kOwnIdPrefix, i);
      const std::string& id = shape == "request" ? own_id : reply.id;
      reply.bytes_before += framed(reply.framing, own_request_payload(reply.speech, id));
    }
  }
}

// ---- the right bytes, late or in pieces ---------------------------------------------------------

void pause_first(const Scene& scene) {
  scene.pause();
}

void in_chunks(const Scene& scene) {
  scene.reply->chunk_bytes = static_cast<std::size_t>(scene.number("chunk_bytes"));
}

void reply_trickled(const Scene& scene) {
  in_chunks(scene);
  scene.reply->gap = std::chrono::milliseconds(scene.number("gap_ms"));
}

void stderr_flood(const Scene& scene) {
  constexpr std::size_t kLineBytes = 80;
  std::string text(static_cast<std::size_t>(scene.number("text_bytes")), 'x');
  for (std::size_t end = kLineBytes; end <= text.size(); end += kLineBytes) text[end - 1] = '\n';
  scene.out.emplace_back(WriteStderr{std::move(text)});
}

// ---- a worker that does not leave as it is told to ----------------------------------------------

void stay(const Scene& scene) {
  scene.receipt();
  scene.departure->stays = true;
}

void stdin_end_ignored(const Scene& scene) {
  if (scene.departure->cause != Cause::term) stay(scene);
}

template <Cause cause>
void stay_despite(const Scene& scene) {
  if (scene.departure->cause == cause) stay(scene);
}

void exit_code_at_shutdown(const Scene& scene) {
  scene.departure->code = static_cast<int>(scene.number("code"));
}

void grandchild_left(const Scene& scene) {
  scene.out.emplace_back(Fork{std::chrono::milliseconds(scene.number("lifetime_ms"))});
}

constexpr auto kItself = Behaviour::Receipt::itself;

/// The behaviours, in the order of the catalogue.
constexpr std::array kBehaviours{
    Behaviour{"reply_dropped", Stage::writing, [](const Scene& s) { s.reply->dropped = true; }},
    Behaviour{"reading_stopped", Stage::before_read, reading_stopped, kItself},
    Behaviour{"exit_mid_call", Stage::request, exit_with_code},
    Behaviour{"killed_mid_call", Stage::request, raise_signal},
    Behaviour{"stdout_closed", Stage::request, stdout_closed},
    Behaviour{"stdin_closed", Stage::idle, stdin_closed},
    // A worker that runs can't show this fault.
    Behaviour{"start_fails", Stage::launch, [](const Scene&) {}},
    Behaviour{"exit_at_start", Stage::start, exit_at_start},
    Behaviour{"killed_at_start", Stage::start, raise_signal},
    Behaviour{"exit_while_idle", Stage::idle, exit_with_code},
    Behaviour{"killed_while_idle", Stage::idle, raise_signal},
    Behaviour{"stdout_closed_while_idle", Stage::idle, stdout_closed},

    Behaviour{"banner", Stage::start, write_text},
    Behaviour{"input_read_as_lines", Stage::first_bytes,
              [](const Scene& s) { s.state.reading = Reading::lines; }},
    Behaviour{"reply_unframed", Stage::content, wrong_header<Header::none>},
    Behaviour{"text_before_reply", Stage::content,
              [](const Scene& s) { s.reply->bytes_before += s.text("text"); }},
    Behaviour{"text_after_reply", Stage::content,
              [](const Scene& s) { s.reply->bytes_after += s.text("text"); }},
    Behaviour{"text_while_idle", Stage::idle, text_while_idle, kItself},
    Behaviour{"reply_truncated", Stage::writing,
              [](const Scene& s) { s.reply->cut = cut_of(s.fault); }},
    Behaviour{"length_too_long", Stage::content,
              [](const Scene& s) { s.reply->length_error += s.number("extra_bytes"); }},
    Behaviour{"length_too_short", Stage::content,
              [](const Scene& s) { s.reply->length_error -= s.number("missing_bytes"); }},
    Behaviour{"length_in_characters", Stage::content, length_in_characters, kItself},
    Behaviour{"length_little_endian", Stage::content, wrong_header<Header::little_endian>},
    Behaviour{"length_zero", Stage::content, wrong_header<Header::zero>},
    Behaviour{"length_huge", Stage::content, wrong_header<Header::huge>},
    Behaviour{"length_over_limit", Stage::content, length_over_limit},
    Behaviour{"header_malformed", Stage::content, header_malformed, kItself},
    Behaviour{"json_invalid", Stage::content, json_invalid},
    Behaviour{"utf8_invalid", Stage::content, utf8_invalid},
    Behaviour{"nan_result", Stage::content, [](const Scene& s) { with_result(*s.reply, "NaN"); }},
    Behaviour{"json_deep", Stage::content, json_deep},
    Behaviour{"id_wrong", Stage::content, id_wrong},
    Behaviour{"id_text", Stage::content, id_text},
    Behaviour{"success_missing", Stage::content,
              [](const Scene& s) { s.reply->names_success = false; }},
    Behaviour{"reply_reshaped", Stage::content, reply_reshaped},
    Behaviour{"reply_twice", Stage::content, [](const Scene& s) { s.reply->copies = 2; }},
    Behaviour{"frames_before_reply", Stage::content, frames_before_reply, kItself},
    Behaviour{"frame_inside_reply", Stage::content,
              [](const Scene& s) {
                s.reply->interrupted_at = static_cast<std::size_t>(s.number("keep_bytes"));
              }},
    Behaviour{"error_reply", Stage::content,
              [](const Scene& s) { with_error(*s.reply, s.text("message")); }},
    Behaviour{"reply_padded", Stage::content, reply_padded, kItself},

    Behaviour{"import_slow", Stage::start, pause_first},
    Behaviour{"reply_slow", Stage::pause, pause_first},
    Behaviour{"reply_late", Stage::pause, pause_first},
    Behaviour{"reply_trickled", Stage::writing, reply_trickled},
    Behaviour{"reply_fragmented", Stage::writing, in_chunks},
    Behaviour{"reply_unflushed", Stage::writing, [](const Scene& s) { s.reply->held_back = true; }},
    Behaviour{"stderr_flood", Stage::request, stderr_flood},

    Behaviour{"stdin_end_ignored", Stage::stay, stdin_end_ignored, kItself},
    Behaviour{"term_ignored", Stage::stay, stay_despite<Cause::term>, kItself},
    Behaviour{"exit_slow", Stage::leave, pause_first},
    Behaviour{"shutdown_not_obeyed", Stage::stay, stay_despite<Cause::request>, kItself},
    Behaviour{"exit_code_at_shutdown", Stage::leave, exit_code_at_shutdown},
    Behaviour{"grandchild_left", Stage::request, grandchild_left},
};

}  // namespace

bool repeats_reply(const PlannedFault& planned) {
  const auto shape = planned.texts.find("shape");
  return shape != planned.texts.end() && shape->second == "previous_reply";
}

std::span<const Behaviour> behaviours() {
  return kBehaviours;
}

const Behaviour& behaviour_of(const Fault& fault) {
  const auto place = static_cast<std::size_t>(&fault - catalogue().data());
  POOLPROOF_ASSERT(place < kBehaviours.size() && kBehaviours[place].fault == fault.name);
  return kBehaviours[place];
}

}  // namespace poolproof::faults

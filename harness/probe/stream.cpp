#include "harness/probe/stream.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "harness/wire/envelope.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::probe {
namespace {

/// No more than this many messages that nobody asked for are kept.
constexpr std::size_t kKeptFrames = 64;

/// Larger requests are not compared with echoes: a worker that echoes has echoed smaller ones.
constexpr std::size_t kEchoBytes = 65536;

/// A form that is the same for texts of equal JSON; empty: it is no JSON, or too large.
std::string plain_form(std::string_view payload) {
  if (payload.size() > kEchoBytes) return "";
  const auto message = wire::parse_json(payload);
  return message ? message->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : "";
}

}  // namespace

void Stream::sent(std::string_view bytes) {
  if (!wire_.hears_unasked()) return;
  sent_.push(bytes);
  for (;;) {
    const auto frame = sent_.next();
    if (!frame || !*frame) return;
    // No request has the number -1.
    if (wire_.row().hear(**frame, -1).kind != wire::Heard::Kind::wrong)
      requests_.insert(plain_form(**frame));
  }
}

void Stream::push(std::string_view bytes) {
  if (broken_) bytes = bytes.substr(0, kKeptBytes - std::min(kKeptBytes, buffer_.size()));
  buffer_.append(bytes);
}

void Stream::take(Messages& messages) {
  std::string_view left = buffer_;
  while (!broken_) {
    const wire::WholeFrame whole = wire::whole_frame(wire_.framing, left);
    if (whole.bytes == 0) break;
    ++count_;
    if (passes_over(whole.payload, messages)) {
      ++messages.unasked;
      messages.unasked_bytes += whole.bytes;
    } else if (messages.frames.size() < kKeptFrames) {
      messages.frames.emplace_back(whole.payload);
      const std::size_t room = kKeptBytes - std::min(kKeptBytes, messages.framed.size());
      messages.framed.append(left.substr(0, std::min(whole.bytes, room)));
    }
    left.remove_prefix(whole.bytes);
  }
  buffer_.erase(0, buffer_.size() - left.size());
  const auto state = wire::row_of(wire_.framing.wire).head(wire_.framing, buffer_, 0).state;
  broken_ = state == wire::Head::State::broken;
}

bool Stream::under_way() const {
  return wire_.hears_unasked() && !broken_ && !buffer_.empty() &&
         wire::may_begin_message(wire_.framing, buffer_);
}

/// Answers or passes over what a worker may say unasked. False: somebody waits for the message.
bool Stream::passes_over(std::string_view payload, Messages& messages) {
  if (!wire_.hears_unasked()) return false;
  // No request has the number -1.
  const wire::Heard said = wire_.row().hear(payload, -1);
  const bool asked = said.kind == wire::Heard::Kind::asked;
  if (!asked && said.kind != wire::Heard::Kind::unasked) return false;
  if (const std::string form = plain_form(payload); !form.empty() && requests_.contains(form)) {
    ++messages.echoes;
    return false;
  }
  if (asked) owed_ += wire::encode_frame(wire_.framing, said.answer).value_or("");
  return true;
}

}  // namespace poolproof::probe

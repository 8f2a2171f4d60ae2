#pragma once

#include <algorithm>

#include "fake_workers/leaves.hpp"
#include "fake_workers/plan.hpp"
#include "fake_workers/reply.hpp"
#include "harness/base/signals.hpp"
#include "harness/wire/speech.hpp"

/// The functions of the table's column `leaves`, named by the fault or by what it writes. Only the
/// table includes them.
namespace poolproof::faults::left_by {

/// Every reply, with its header, is longer than this.
inline constexpr std::int64_t kNeverWhole = 20;

/// The least length that a header beginning with these bytes can announce.
inline std::uint64_t least_length(std::string_view bytes, const wire::Framing& framing) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < framing.prefix_bytes; ++i) {
    length = (length << 8U) | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
  }
  return length;
}

inline Leaves reading_stopped(const PlannedFault& planned, const Reader&) {
  return answers_unread(planned) ? Leaves::sound : Leaves::nothing;
}

inline Leaves signal(const PlannedFault& planned, const Reader&) {
  const int number = static_cast<int>(planned.number("signal"));
  return is_deadly(number) || is_stopping(number) ? Leaves::nothing : Leaves::sound;
}

/// What is left if a line of text comes before a line with a sound reply.
inline Leaves line_first(std::string_view text, const Reader& reader) {
  const bool whole = text.find('\n') != std::string_view::npos;
  if (text.front() == '\n' || text.front() == '\r') return Leaves::depends;
  if (text.size() > reader.framing.payload_limit()) return Leaves::depends;
  if (reader.payload == wire::Payload::opaque) return whole ? Leaves::surplus : Leaves::depends;
  const bool says_much = text.find_first_of("{[\" \t") != std::string_view::npos;
  return says_much ? Leaves::depends : Leaves::garbled;
}

/// Text in front of sound headers becomes part of a header, or makes the headers unreadable.
inline Leaves headers_first(std::string_view text) {
  return text.find_first_of(":\r") == std::string_view::npos ? Leaves::no_frame : Leaves::depends;
}

/// What is left if text comes before a sound reply: the text may or may not begin a frame.
inline Leaves text_first(const PlannedFault& planned, const Reader& reader) {
  const std::string_view text = planned.text("text");
  if (!text.empty() && reader.framing.by_lines()) return line_first(text, reader);
  if (!text.empty() && reader.framing.wire == wire::Wire::headers) return headers_first(text);
  if (!text.empty() && (reader.framing.wire == wire::Wire::varint || reader.framing.little_endian))
    return Leaves::depends;
  const std::size_t prefix = reader.framing.prefix_bytes;
  if (text.empty()) return Leaves::sound;
  const std::uint64_t length = least_length(text, reader.framing);
  if (length > reader.framing.payload_limit()) return Leaves::no_frame;
  if (text.size() < prefix) return Leaves::depends;
  if (length == 0) return Leaves::no_frame;
  if (text.size() < prefix + length) return Leaves::garbled;
  if (reader.payload == wire::Payload::opaque) return Leaves::surplus;
  // A text with this word may be meant to pass for a reply.
  return text.find("success") == std::string_view::npos ? Leaves::no_reply : Leaves::depends;
}

inline Leaves text_last(const PlannedFault& planned, const Reader&) {
  return planned.text("text").empty() ? Leaves::sound : Leaves::surplus;
}

inline Leaves reply_unframed(const PlannedFault&, const Reader& reader) {
  if (reader.framing.by_lines()) return Leaves::part;
  if (reader.framing.wire == wire::Wire::headers) return Leaves::unframed;
  if (reader.framing.wire == wire::Wire::varint || reader.framing.little_endian)
    return Leaves::depends;
  const bool impossible = least_length("{\"", reader.framing) > reader.framing.payload_limit();
  return impossible ? Leaves::unframed : Leaves::garbled;
}

inline Leaves reply_truncated(const PlannedFault& planned, const Reader&) {
  const std::int64_t kept = planned.number("keep_bytes");
  if (kept == 0) return Leaves::nothing;
  return kept <= kNeverWhole ? Leaves::part : Leaves::depends;
}

/// A header announces no more than it can: for the longest reply that is the true length.
inline Leaves length_too_long(const PlannedFault&, const Reader& reader) {
  return reader.framing.can_be_exceeded() ? Leaves::garbled : Leaves::depends;
}

inline Leaves length_too_short(const PlannedFault&, const Reader& reader) {
  return reader.payload == wire::Payload::opaque ? Leaves::surplus : Leaves::no_reply;
}

/// Some lengths read the same in both byte orders; in four bytes, the least of them is 00 01 01 00.
inline Leaves length_little_endian(const PlannedFault&, const Reader& reader) {
  constexpr std::size_t kTwoBytes = 0xFFFF;
  constexpr std::size_t kFourBytes = 0xFFFFFFFF;
  const wire::Framing& framing = reader.framing;
  if (framing.prefix_bytes == 1) return Leaves::sound;
  const bool above = (framing.prefix_bytes == 4 && framing.payload_limit() <= kTwoBytes) ||
                     (framing.prefix_bytes == 8 && framing.payload_limit() <= kFourBytes);
  return above ? Leaves::no_frame : Leaves::depends;
}

inline Leaves length_huge(const PlannedFault&, const Reader& reader) {
  const std::uint64_t length = wire::huge_length(reader.framing);
  return length > reader.framing.payload_limit() ? Leaves::no_frame : Leaves::depends;
}

inline Leaves length_over_limit(const PlannedFault&, const Reader& reader) {
  return reader.framing.can_be_exceeded() ? Leaves::no_frame : Leaves::depends;
}

inline Leaves json_deep(const PlannedFault& planned, const Reader& reader) {
  const auto size = 2 * static_cast<std::uint64_t>(planned.number("depth"));
  const auto most = reader.framing.wire == wire::Wire::prefix
                        ? wire::largest_length(reader.framing.prefix_bytes)
                        : UINT64_MAX;
  const auto announced = std::min(size, most);
  if (announced > reader.framing.payload_limit()) return Leaves::no_frame;
  const bool cut = announced < size && reader.payload == wire::Payload::opaque;
  return cut ? Leaves::surplus : Leaves::no_reply;
}

inline Leaves id_wrong(const PlannedFault& planned, const Reader&) {
  return planned.number("offset") == 0 ? Leaves::sound : Leaves::no_reply;
}

/// Where workers may speak unasked, other whole frames before a reply do not spoil it. A reply to
/// another request does; and an opaque reader takes the first frame for the reply.
inline Leaves frames_before(const PlannedFault& planned, const Reader& reader) {
  const bool opaque = reader.payload == wire::Payload::opaque;
  const std::string_view shape = planned.text("shape");
  if (shape != "previous_reply") {
    constexpr std::size_t kLongestNumber = 7;
    const std::string id = '"' + std::string(kOwnIdPrefix).append(kLongestNumber, '9') + '"';
    const std::size_t size = shape == "event" ? event_payload(reader.speech).size()
                                              : own_request_payload(reader.speech, id).size();
    if (size > reader.framing.payload_limit()) return Leaves::depends;
    // A worker that asks more than a pipe holds and reads no answers meanwhile may be given up.
    constexpr std::int64_t kManyFrames = 4000;
    const bool many = shape != "event" && planned.number("frames") > kManyFrames;
    if (!opaque && wire::row_of(reader.speech).speaks_unasked)
      return many ? Leaves::depends : Leaves::sound;
  }
  return opaque ? Leaves::surplus : Leaves::no_reply;
}

/// A list is a result like any other, except in a handshake.
inline Leaves reply_reshaped(const PlannedFault& planned, const Reader& reader) {
  const bool list = planned.text("shape") == "result_list";
  return list && reader.payload != wire::Payload::handshake ? Leaves::sound : Leaves::no_reply;
}

inline Leaves reply_trickled(const PlannedFault& planned, const Reader&) {
  return planned.number("gap_ms") == 0 ? Leaves::sound : Leaves::late;
}

}  // namespace poolproof::faults::left_by

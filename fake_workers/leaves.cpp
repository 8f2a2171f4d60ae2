#include "fake_workers/leaves.hpp"

#include <algorithm>

#include "fake_workers/plan.hpp"
#include "harness/base/signals.hpp"

namespace poolproof::faults {
namespace {

/// No reply is that short, with its header.
constexpr std::int64_t kNeverWhole = 20;

/// The least length that a header announces whose first bytes are these.
std::uint64_t least_length(std::string_view bytes, const wire::Framing& framing) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < framing.prefix_bytes; ++i) {
    length = (length << 8U) | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
  }
  return length;
}

bool goes_on_by(const PlannedFault& planned, std::string_view word) {
  return planned.fault->end == End::as_told && planned.text("then") == word;
}

bool closes_stdout(const PlannedFault& planned) {
  const bool cut = planned.fault->moment == Moment::reply && goes_on_by(planned, "close");
  return planned.fault->closes == Closes::stdout_ || cut;
}

}  // namespace

// ---- questions to the table --------------------------------------------------------------------

Leaves leaves_of_reply(const PlannedFault& planned, const Reader& reader) {
  const Leaves leaves = planned.fault->leaves.of(planned, reader);
  if (reader.payload != wire::Payload::opaque) return leaves;
  if (leaves == Leaves::error || leaves == Leaves::no_reply) return Leaves::sound;
  return leaves == Leaves::garbled ? Leaves::depends : leaves;
}

bool is_spoilt(Leaves leaves) {
  switch (leaves) {
    case Leaves::no_reply:
    case Leaves::no_frame:
    case Leaves::unframed:
    case Leaves::part:
    case Leaves::nothing:
    case Leaves::garbled:
      return true;
    default:
      return false;
  }
}

bool ends_process(const PlannedFault& planned) {
  switch (planned.fault->end) {
    case End::lives:
      return false;
    case End::exits:
      return true;
    case End::by_signal:
      return is_deadly(static_cast<int>(planned.number("signal")));
    case End::as_told:
      return goes_on_by(planned, "exit") || goes_on_by(planned, "kill");
  }
  return false;
}

bool leaves_waiting(const PlannedFault& planned, const Reader& reader) {
  const bool silent =
      planned.fault->moment == Moment::launch || ends_process(planned) || closes_stdout(planned);
  if (silent) return false;
  if (planned.fault->moment == Moment::reading) return true;  // the next request, if not this one
  const Leaves leaves = leaves_of_reply(planned, reader);
  return leaves == Leaves::nothing || leaves == Leaves::part || leaves == Leaves::held_back ||
         leaves == Leaves::garbled || leaves == Leaves::depends;
}

bool keeps_worker(const PlannedFault& planned, const Reader& reader) {
  const Fault& fault = *planned.fault;
  if (fault.harmless) return true;
  if (fault.moment != Moment::reply || fault.end != End::lives) return false;
  const Leaves leaves = leaves_of_reply(planned, reader);
  const bool refuses = leaves == Leaves::error && reader.payload == wire::Payload::handshake;
  return leaves == Leaves::sound || (leaves == Leaves::error && !refuses);
}

bool answers_unread(const PlannedFault& planned) {
  return planned.fault->moment == Moment::reading && goes_on_by(planned, "answer");
}

bool writes_unasked(const PlannedFault& planned) {
  return planned.fault->writes_unasked && !planned.text("text").empty();
}

Duration pause_of(const PlannedFault& planned) {
  const auto pause = planned.numbers.find("delay_ms");
  return std::chrono::milliseconds(pause == planned.numbers.end() ? 0 : pause->second);
}

// ---- functions for the column ------------------------------------------------------------------

namespace left_by {

Leaves reading_stopped(const PlannedFault& planned, const Reader&) {
  return answers_unread(planned) ? Leaves::sound : Leaves::nothing;
}

Leaves signal(const PlannedFault& planned, const Reader&) {
  const int number = static_cast<int>(planned.number("signal"));
  return is_deadly(number) || is_stopping(number) ? Leaves::nothing : Leaves::sound;
}

/// The text begins a frame, or none; the sound reply comes behind it.
Leaves text_first(const PlannedFault& planned, const Reader& reader) {
  const std::string_view text = planned.text("text");
  const std::size_t prefix = reader.framing.prefix_bytes;
  if (text.empty()) return Leaves::sound;
  const std::uint64_t length = least_length(text, reader.framing);
  if (length > reader.framing.payload_limit()) return Leaves::no_frame;
  if (text.size() < prefix) return Leaves::depends;
  if (length == 0) return Leaves::no_frame;
  if (text.size() < prefix + length) return Leaves::garbled;
  if (reader.payload == wire::Payload::opaque) return Leaves::surplus;
  // Text that says so may be meant to pass for a reply.
  return text.find("success") == std::string_view::npos ? Leaves::no_reply : Leaves::depends;
}

Leaves text_last(const PlannedFault& planned, const Reader&) {
  return planned.text("text").empty() ? Leaves::sound : Leaves::surplus;
}

Leaves reply_unframed(const PlannedFault&, const Reader& reader) {
  const bool impossible = least_length("{\"", reader.framing) > reader.framing.payload_limit();
  return impossible ? Leaves::unframed : Leaves::garbled;
}

Leaves reply_truncated(const PlannedFault& planned, const Reader&) {
  const std::int64_t kept = planned.number("keep_bytes");
  if (kept == 0) return Leaves::nothing;
  return kept <= kNeverWhole ? Leaves::part : Leaves::depends;
}

/// A header announces what it can: of the longest reply that is its true length.
Leaves length_too_long(const PlannedFault&, const Reader& reader) {
  return reader.framing.can_be_exceeded() ? Leaves::garbled : Leaves::depends;
}

Leaves length_too_short(const PlannedFault&, const Reader& reader) {
  return reader.payload == wire::Payload::opaque ? Leaves::surplus : Leaves::no_reply;
}

/// Some lengths read the same from both ends; the least of them in four bytes is 00 01 01 00.
Leaves length_little_endian(const PlannedFault&, const Reader& reader) {
  constexpr std::size_t kTwoBytes = 0xFFFF;
  const wire::Framing& framing = reader.framing;
  if (framing.prefix_bytes == 1) return Leaves::sound;
  const bool above = framing.prefix_bytes == 4 && framing.payload_limit() <= kTwoBytes;
  return above ? Leaves::no_frame : Leaves::depends;
}

Leaves length_huge(const PlannedFault&, const Reader& reader) {
  const std::uint64_t length = wire::largest_length(reader.framing.prefix_bytes) / 2;
  return length > reader.framing.payload_limit() ? Leaves::no_frame : Leaves::depends;
}

Leaves length_over_limit(const PlannedFault&, const Reader& reader) {
  return reader.framing.can_be_exceeded() ? Leaves::no_frame : Leaves::depends;
}

Leaves json_deep(const PlannedFault& planned, const Reader& reader) {
  const auto size = 2 * static_cast<std::uint64_t>(planned.number("depth"));
  const auto announced = std::min(size, wire::largest_length(reader.framing.prefix_bytes));
  if (announced > reader.framing.payload_limit()) return Leaves::no_frame;
  const bool cut = announced < size && reader.payload == wire::Payload::opaque;
  return cut ? Leaves::surplus : Leaves::no_reply;
}

Leaves id_wrong(const PlannedFault& planned, const Reader&) {
  return planned.number("offset") == 0 ? Leaves::sound : Leaves::no_reply;
}

/// A list is a result like any other, but to a handshake.
Leaves reply_reshaped(const PlannedFault& planned, const Reader& reader) {
  const bool list = planned.text("shape") == "result_list";
  return list && reader.payload != wire::Payload::handshake ? Leaves::sound : Leaves::no_reply;
}

Leaves reply_trickled(const PlannedFault& planned, const Reader&) {
  return planned.number("gap_ms") == 0 ? Leaves::sound : Leaves::late;
}

}  // namespace left_by

}  // namespace poolproof::faults

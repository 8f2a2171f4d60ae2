#include "fake_workers/leaves.hpp"

#include <algorithm>
#include <array>

#include "fake_workers/plan.hpp"
#include "harness/base/signals.hpp"

namespace poolproof::faults {
namespace {

bool goes_on_by(const PlannedFault& planned, std::string_view word) {
  return planned.fault->end == End::as_told && planned.text("then") == word;
}

/// Whether the fault makes the worker stop itself while idle: it then answers no request any more.
bool stops_while_idle(const PlannedFault& planned) {
  return planned.fault->moment == Moment::idle && planned.fault->end == End::by_signal &&
         is_stopping(static_cast<int>(planned.number("signal")));
}

bool closes_stdout(const PlannedFault& planned) {
  const bool cut = planned.fault->moment == Moment::reply && goes_on_by(planned, "close");
  return planned.fault->closes == Closes::stdout_ || cut;
}

}  // namespace

Leaves leaves_of_reply(const PlannedFault& planned, const Reader& reader) {
  const Leaves leaves = planned.fault->leaves.of(planned, reader);
  if (reader.payload != wire::Payload::opaque) return leaves;
  if (leaves == Leaves::error || leaves == Leaves::no_reply) return Leaves::sound;
  return leaves == Leaves::garbled ? Leaves::depends : leaves;
}

bool is_spoilt(Leaves leaves) {
  constexpr std::array kSpoilt{Leaves::no_reply, Leaves::no_frame, Leaves::unframed,
                               Leaves::part,     Leaves::nothing,  Leaves::garbled};
  return std::ranges::find(kSpoilt, leaves) != kSpoilt.end();
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
  if (stalls_later_requests(planned)) return true;
  constexpr std::array kWaiting{Leaves::nothing, Leaves::part, Leaves::held_back, Leaves::garbled,
                                Leaves::depends};
  return std::ranges::find(kWaiting, leaves_of_reply(planned, reader)) != kWaiting.end();
}

bool stalls_later_requests(const PlannedFault& planned) {
  return planned.fault->moment == Moment::reading || stops_while_idle(planned);
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

std::uint64_t stderr_bytes_of(const PlannedFault& planned) {
  const auto line = planned.texts.find("stderr_text");
  if (line != planned.texts.end()) return line->second.size() + 1;
  const auto much = planned.numbers.find("text_bytes");
  return much == planned.numbers.end() ? 0 : static_cast<std::uint64_t>(much->second);
}

}  // namespace poolproof::faults

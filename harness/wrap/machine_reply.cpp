#include <algorithm>
#include <utility>

#include "harness/wrap/machine.hpp"

/// How faults change a reply at which they strike.
namespace poolproof::wrap {

using Kind = faults::JournalRecord::Kind;

void Machine::answer(const PendingRequest& request, const Message& message, const Piece& frame,
                     Time now) {
  faults::ReplyInProgress reply;
  reply.payload = frame.payload;
  reply.framing = config_.framing;
  reply.speech = wire_speech(config_.speech);
  if (!message.id.empty()) reply.id = message.id;
  reply.body = " ";  // stands for the real body, whatever that is
  Script script;
  bool stands_in = false;
  for (const Aimed* aimed : request.faults) {
    if (aimed->behaviour->stage == Stage::content)
      spoil(*aimed, reply, stands_in, request.number, script.actions);
  }
  strike_at(Stage::pause, request, script.actions, &reply);
  strike_at(Stage::writing, request, script.actions, &reply);
  // The frame of a reply with its own payload stays as it is: it may have headers of its own.
  const bool sound = reply.header == faults::ReplyInProgress::Header::sound &&
                     reply.length_error == 0 && reply.pad_to == 0 &&
                     *reply.payload == frame.payload;
  std::string bytes = reply.bytes_before;
  for (std::size_t i = 0; sound && i < reply.copies; ++i) bytes += frame.bytes;
  bytes += reply.bytes_after;
  if (!sound) bytes = reply.bytes();
  reply.interrupt(bytes);
  aims_.asks(message.id, reply.asks_with_its_id);
  write_reply(reply, std::move(bytes), request.number, script.actions);
  if (!state_.over && state_.reading == Reading::frames && !mute_)
    strike_at(Stage::idle, request, script.actions);
  over_ = over_ || state_.over || end_process(script.actions);
  play(std::move(script), now);
}

/// Lets one fault change the reply, as the faults before it have left that.
void Machine::spoil(const Aimed& aimed, faults::ReplyInProgress& reply, bool& stands_in,
                    std::uint64_t request, faults::Actions& out) {
  const faults::ReplyInProgress before = reply;
  const faults::Scene scene{*aimed.planned, request, out, state_, &reply};
  strike_one(aimed, scene);
  const bool members = before.id != reply.id || before.body != reply.body ||
                       before.success != reply.success ||
                       before.names_success != reply.names_success;
  if (members && !stands_in) {
    reply.payload = rewritten(config_.speech, *before.payload, before, reply);
    reply.body = " ";
    reply.success = true;
  } else if (before.payload != reply.payload) {
    stands_in = true;
  }
}

void Machine::write_reply(const faults::ReplyInProgress& reply, std::string bytes,
                          std::uint64_t request, faults::Actions& out) {
  if (reply.dropped) return;
  const std::size_t size = bytes.size();
  if (aims_.repeats_reply()) state_.last_reply = bytes;
  if (reply.cut) bytes.resize(std::min(size, reply.cut->keep_bytes));
  const bool whole = bytes.size() == size;
  faults::Journal wrote{Kind::wrote, request};
  wrote.bytes = size;
  faults::Write write{std::move(bytes), reply.chunk_bytes, reply.gap};
  if (reply.held_back && !reply.cut) {
    state_.hold_back(std::move(write), wrote, out);
    return state_.held_back();
  }
  if (!write.bytes.empty()) out.emplace_back(std::move(write));
  if (whole) out.emplace_back(wrote);
  if (!reply.cut) return;
  switch (reply.cut->then) {
    case faults::Ending::exit:
    case faults::Ending::kill:
      return state_.end(*reply.cut, out);
    case faults::Ending::hang:
    case faults::Ending::answer:
      mute_ = true;
      return state_.stop_reading(out);
    case faults::Ending::close:
      out.emplace_back(faults::CloseStdout{});
      state_.reading = Reading::discarding;
  }
}

}  // namespace poolproof::wrap

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// All that is known of one wire. Each row stands in a file of its own. To add a wire, write a row
/// and name it in wires.cpp.
struct WireRow {
  Wire wire;
  std::string_view name;    ///< as options and files say it
  std::string_view users;   ///< who speaks it, for people
  std::string_view plural;  ///< the wire's way to mark off messages, as in "where lines are agreed"
  /// Reads the head of the first frame. `bytes` are all that arrived and belong to no earlier
  /// frame. The previous call saw `looked` of them and found nothing whole: so each byte is looked
  /// at once, however they are chunked.
  Head (*head)(const Framing& framing, std::string_view bytes, std::size_t looked);
  std::string (*header)(const Framing& framing, std::uint64_t length);
  std::string_view end;  ///< what stands behind each payload
  /// Why a frame can't be read, as the first clause of an error message.
  std::string (*complaint)(const Framing& framing, const FrameError& error);
  /// Words for `bytes` bytes of a header or line that is not whole.
  std::string (*beginning)(const Framing& framing, std::size_t bytes);
  /// What marks off a message on this wire, as words for what is missing: `JSON without its ...`.
  std::string (*missing)(const Framing& framing);
  /// The messages go both ways over one socket, not over stdin and stdout. Its number stands in the
  /// environment variable kChannelVariable.
  bool on_channel = false;
};

/// The environment variable in which Node's child_process.fork() names the descriptor of a channel.
inline constexpr const char* kChannelVariable = "NODE_CHANNEL_FD";
/// The environment variable in which Node says how messages on the channel are written: `json`,
/// which is this wire, or `advanced`.
inline constexpr const char* kChannelModeVariable = "NODE_CHANNEL_SERIALIZATION_MODE";

extern const WireRow kPrefixWire;
extern const WireRow kVarintWire;
extern const WireRow kLinesWire;
extern const WireRow kHeadersWire;
extern const WireRow kNodeIpcWire;

/// All wires, in the order of the enum.
std::span<const WireRow* const> wires();
const WireRow& row_of(Wire wire);
/// The wire of this name; null: there is none.
const WireRow* wire_called(std::string_view name);

/// Whether bytes without a broken header may be the beginning of a block of headers, whatever their
/// names. Empty bytes may.
bool may_begin_headers(std::string_view bytes);

/// The head of a frame that announces `length`: broken if that is 0 or above the limit.
Head head_of_length(const Framing& framing, std::size_t header_bytes, std::uint64_t length);

}  // namespace poolproof::wire

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "harness/wire/framing.hpp"

namespace poolproof::wire {

/// All that is known of one wire, in one file each. To add one, write a row and name it in
/// wires.cpp.
struct WireRow {
  Wire wire;
  std::string_view name;    ///< as options and files say it
  std::string_view users;   ///< who speaks it, for people
  std::string_view plural;  ///< what is agreed, as in "where lines are agreed"
  /// The first frame of a stream. `bytes` are all that arrived and belong to no frame before;
  /// `looked` of them have been seen by the call before, which found nothing whole: so each byte is
  /// looked at once, however they are chunked.
  Head (*head)(const Framing& framing, std::string_view bytes, std::size_t looked);
  std::string (*header)(const Framing& framing, std::uint64_t length);
  std::string_view end;  ///< behind each payload
  /// Why its frame can't be told; a clause that follows "frame ", or a sentence of its own.
  std::string (*complaint)(const Framing& framing, const FrameError& error);
  /// So many bytes of a header, or line, that is not whole, in words.
  std::string (*beginning)(const Framing& framing, std::size_t bytes);
  /// What stands in front of a message on this wire, as a person would say what is missing.
  std::string (*missing)(const Framing& framing);
  /// Its bytes go both ways over one socket, whose number stands in kChannelVariable, and not over
  /// stdin and stdout.
  bool on_channel = false;
};

/// There Node's child_process.fork() says which descriptor a child's channel is.
inline constexpr const char* kChannelVariable = "NODE_CHANNEL_FD";
/// And there, how it cuts messages: `json`, which is this wire, or `advanced`.
inline constexpr const char* kChannelModeVariable = "NODE_CHANNEL_SERIALIZATION_MODE";

extern const WireRow kPrefixWire;
extern const WireRow kVarintWire;
extern const WireRow kLinesWire;
extern const WireRow kHeadersWire;
extern const WireRow kNodeIpcWire;

/// In the order of the enum.
std::span<const WireRow* const> wires();
const WireRow& row_of(Wire wire);
/// Null: no wire is called so.
const WireRow* wire_called(std::string_view name);

/// What is the same for each wire: a length of nothing or above the limit.
Head head_of_length(const Framing& framing, std::size_t header_bytes, std::uint64_t length);

}  // namespace poolproof::wire

#include <algorithm>

#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

Head head(const Framing& framing, std::string_view bytes, std::size_t looked) {
  const std::size_t newline = bytes.find('\n', looked);
  const std::string_view line = bytes.substr(0, newline);
  // If the line has no end yet, its last byte may be the CR of CR LF.
  const std::size_t end_bytes = line.ends_with('\r') ? 2 : 1;
  const std::size_t payload = line.size() - (end_bytes - 1);
  if (newline == std::string_view::npos && payload <= framing.payload_limit()) return {};
  // A line that is too long is reported alike, however much of it has come.
  Head head = head_of_length(framing, 0, std::min(payload, framing.payload_limit() + 1));
  head.end_bytes = end_bytes;
  return head;
}

std::string header(const Framing& /*framing*/, std::uint64_t /*length*/) {
  return "";
}

std::string complaint(const Framing& framing, const FrameError& error) {
  if (error.kind == FrameError::Kind::zero_length)
    return "an empty line is not allowed: a line holds at least 1 byte";
  return fmt::format("a line of more than {} bytes, which are the limit", framing.payload_limit());
}

std::string beginning(const Framing& /*framing*/, std::size_t bytes) {
  return fmt::format("{} bytes of a line that has no end yet", bytes);
}

std::string missing(const Framing& /*framing*/) {
  return "line break";
}

/// The row of both wires whose messages are lines.
constexpr WireRow row_of_lines(Wire wire, std::string_view name, std::string_view users,
                               bool on_channel) {
  return {
      .wire = wire,
      .name = name,
      .users = users,
      .plural = "lines",
      .head = head,
      .header = header,
      .end = "\n",
      .complaint = complaint,
      .beginning = beginning,
      .missing = missing,
      .on_channel = on_channel,
  };
}

}  // namespace

const WireRow kLinesWire = row_of_lines(Wire::lines, "lines", "MCP servers, NDJSON", false);
const WireRow kNodeIpcWire = row_of_lines(
    Wire::node_ipc, "node_ipc", "children of Node's fork(): workerpool, jest-worker", true);

}  // namespace poolproof::wire

#include "harness/wire/wires.hpp"

#include <algorithm>
#include <array>

namespace poolproof::wire {
namespace {

constexpr std::array<const WireRow*, 5> kWires{&kPrefixWire, &kVarintWire, &kLinesWire,
                                               &kHeadersWire, &kNodeIpcWire};

}  // namespace

std::span<const WireRow* const> wires() {
  return kWires;
}

const WireRow& row_of(Wire wire) {
  return *kWires[static_cast<std::size_t>(wire)];
}

const WireRow* wire_called(std::string_view name) {
  const auto* const row = std::ranges::find(kWires, name, &WireRow::name);
  return row == kWires.end() ? nullptr : *row;
}

Head head_of_length(const Framing& framing, std::size_t header_bytes, std::uint64_t length) {
  Head head{Head::State::whole, {}, header_bytes, length, 0};
  if (length == 0 || length > framing.payload_limit()) {
    head.state = Head::State::broken;
    head.why = length == 0 ? FrameError::Kind::zero_length : FrameError::Kind::too_large;
  }
  return head;
}

}  // namespace poolproof::wire

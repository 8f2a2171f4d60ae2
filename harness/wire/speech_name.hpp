#pragma once

#include <cstdint>

namespace poolproof::wire {

/// The protocol that the payloads of frames speak, if they are JSON. Each speech has a row in the
/// table of speech.hpp.
enum class Speech : std::uint8_t {
  bridge,    ///< the envelope of DSPex's Python bridge: envelope.hpp
  json_rpc,  ///< JSON-RPC 2.0, without a greeting
  mcp,       ///< JSON-RPC 2.0 as servers of the Model Context Protocol speak it
  lsp,       ///< JSON-RPC 2.0 as language servers speak it
};

}  // namespace poolproof::wire

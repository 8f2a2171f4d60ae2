#pragma once

#include <cstdint>

namespace poolproof::wire {

/// What the payload of a frame says, where it is JSON. One row of the table in speech.hpp each.
enum class Speech : std::uint8_t {
  bridge,    ///< the envelope of DSPex's Python bridge: envelope.hpp
  json_rpc,  ///< JSON-RPC 2.0, without a greeting
  mcp,       ///< the same, as servers of the Model Context Protocol speak it
  lsp,       ///< the same, as language servers speak it
};

}  // namespace poolproof::wire

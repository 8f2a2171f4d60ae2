#pragma once

namespace poolproof::bench {

/// Adds the rows `wire/...` of wire_bench.cpp.
void register_wires();

}  // namespace poolproof::bench

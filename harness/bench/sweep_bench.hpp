#pragma once

namespace poolproof::bench {

/// Adds the rows `sweep/...` of sweep_bench.cpp.
void register_sweep();

}  // namespace poolproof::bench

#pragma once

namespace poolproof::bench {

/// Adds the rows of pool_bench.cpp: the pool beside the least that a pool can be.
void register_pools();

/// Adds the rows of core_bench.cpp: the Core alone.
void register_core();

}  // namespace poolproof::bench

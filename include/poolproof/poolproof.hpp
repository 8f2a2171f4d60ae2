#pragma once

/// All that a user of the pool needs: its options, what comes out of it, and the JSON of calls.
#include "harness/host/arguments.hpp"
#include "harness/host/pool.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/prometheus.hpp"
#include "harness/host/session_pool.hpp"

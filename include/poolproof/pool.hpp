#pragma once

/// Pool and Lease by name, for headers that hand them on; <poolproof/poolproof.hpp> has all of it.
#include "harness/host/pool.hpp"

#pragma once

#include <stop_token>

#include "harness/host/state.hpp"
#include "harness/host/worker.hpp"
#include "harness/wire/conversation.hpp"

namespace poolproof::host {

/// Carries one conversation out on a leased worker, on the calling thread: never blocks longer than
/// the conversation's deadline plus a bounded wait for the end of a worker whose pipes have closed.
///
/// Before the first byte is written stdout is drained: anything there, or its end, means that the
/// worker is no longer what was leased: stale_worker, nothing written.
wire::CallResult carry_out(PoolState& pool, Worker& worker, wire::Conversation conversation,
                           const std::stop_token& stop);

}  // namespace poolproof::host

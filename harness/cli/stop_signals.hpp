#pragma once

namespace poolproof::cli {

/// From now on SIGTERM and SIGINT ask this process to stop instead of ending it. A process that is
/// the first of its container (pid 1) needs this to be asked at all: the system does not deliver
/// there what nobody handles.
void catch_stop_signals();

/// Whether SIGTERM or SIGINT has come since catch_stop_signals().
bool asked_to_stop();

}  // namespace poolproof::cli

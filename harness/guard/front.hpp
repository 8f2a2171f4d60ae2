#pragma once

#include <functional>
#include <optional>

#include <sys/types.h>

namespace poolproof::guard {

/// Runs `body` in a copy of this process and stays in front of it. Whichever of the two is killed,
/// the other one ends what is left of the program, whatever that has done to its environment and
/// session. Signals that ask to end (TERM, INT, HUP, QUIT) are handed on to the copy. `body` gets
/// our pid and returns the copy's exit code. Nothing: the copy was killed, or there is none.
///
/// Requires: one thread. `spared` is a child of ours that is not the program's.
std::optional<int> run_in_guarded_copy(pid_t spared, const std::function<int(pid_t front)>& body);

/// The signal by which the copy learns that the front has ended.
int front_ended_signal();
/// Whether a signal asks a process to end, and so is handed on.
bool asks_to_end(int signal);

}  // namespace poolproof::guard

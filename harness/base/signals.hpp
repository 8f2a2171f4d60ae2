#pragma once

#include <algorithm>
#include <array>
#include <csignal>

namespace poolproof {

/// Whether that signal, not caught, stops a process.
constexpr bool is_stopping(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/// Whether that signal, not caught, ends a process.
constexpr bool is_deadly(int signal) {
  constexpr std::array kHarmless{SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
  const bool harmless = std::find(kHarmless.begin(), kHarmless.end(), signal) != kHarmless.end();
  return signal != 0 && !is_stopping(signal) && !harmless;
}

}  // namespace poolproof

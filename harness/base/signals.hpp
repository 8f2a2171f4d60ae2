#pragma once

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>

namespace poolproof {

/// The signals that scenario files call by name, and their numbers on Linux in the same order.
inline constexpr std::array<std::string_view, 10> kSignalNames{
    "HUP", "INT", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "TERM", "CONT", "STOP"};
inline constexpr std::array<int, kSignalNames.size()> kSignalNumbers{1,  2,  6,  9,  10,
                                                                     11, 13, 15, 18, 19};
inline constexpr int kSignalMax = 31;

/// Whether that signal, not caught, stops a process.
constexpr bool is_stopping(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/// Whether that signal, not caught, ends a process.
constexpr bool is_deadly(int signal) {
  constexpr std::array kHarmless{SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
  const bool harmless = std::ranges::find(kHarmless, signal) != kHarmless.end();
  return signal != 0 && !is_stopping(signal) && !harmless;
}

}  // namespace poolproof

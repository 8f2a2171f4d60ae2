#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace poolproof::scenario {

/// The signals that scenario files call by name, with their numbers on Linux.
inline constexpr std::array<std::pair<std::string_view, int>, 10> kSignals{{{"HUP", 1},
                                                                            {"INT", 2},
                                                                            {"ABRT", 6},
                                                                            {"KILL", 9},
                                                                            {"USR1", 10},
                                                                            {"SEGV", 11},
                                                                            {"PIPE", 13},
                                                                            {"TERM", 15},
                                                                            {"CONT", 18},
                                                                            {"STOP", 19}}};
inline constexpr int kSignalMax = 31;

}  // namespace poolproof::scenario

#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace poolproof {

/// What a client does in one step. The names are those of scenario files, traces and reports.
enum class StepKind : std::uint8_t {
  checkout,
  call,
  call_bytes,
  checkin,
  thrown,   ///< the holder throws: its lease ends by unwinding
  execute,  ///< checkout, call and check-in in one, perhaps more than once
  await,
  pause,
  cancel,
  signal_worker,
  end_session,
  close,
  renew,
  suspend,
  resume,
};

inline constexpr std::array<std::string_view, 15> kStepKindNames{
    "checkout", "call",          "call_bytes",  "checkin", "throw", "execute", "await", "pause",
    "cancel",   "signal_worker", "end_session", "close",   "renew", "suspend", "resume"};

constexpr std::string_view name(StepKind kind) {
  return kStepKindNames[static_cast<std::size_t>(kind)];
}

constexpr bool is_call(StepKind kind) {
  return kind == StepKind::call || kind == StepKind::call_bytes;
}

/// Whether such a step ends with an Outcome. The other steps only arrange what happens when.
constexpr bool has_outcome(StepKind kind) {
  return kind <= StepKind::execute || kind == StepKind::close;
}

}  // namespace poolproof

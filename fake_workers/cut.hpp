#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fake_workers/plan.hpp"

namespace poolproof::faults {

/// How a worker goes on that has stopped within a frame.
enum class Ending : std::uint8_t {
  exit,
  kill,    ///< itself, by KILL
  hang,    ///< reads and writes nothing any more, and lives until a signal comes
  close,   ///< closes the stream that the frame is in, and lives
  answer,  ///< of a request only: answers it without having read it, then hangs
};
inline constexpr std::array<std::string_view, 4> kEndingNames{"exit", "kill", "hang", "close"};
inline constexpr std::array<std::string_view, 5> kReadEndingNames{"exit", "kill", "hang", "close",
                                                                  "answer"};

/// Where a frame ends too early, and what comes then.
struct Cut {
  std::size_t keep_bytes = 0;  ///< of the frame, header included
  Ending then = Ending::exit;
  int code = 0;  ///< of Ending::exit
};

/// Of a fault that has the parameters `keep_bytes`, `then` and `code`.
Cut cut_of(const PlannedFault& fault);

}  // namespace poolproof::faults

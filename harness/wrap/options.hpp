#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fake_workers/plan.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"
#include "harness/wire/wire_log.hpp"
#include "harness/wrap/speech.hpp"

namespace poolproof::wrap {

/// What `poolproof wrap` was asked to do.
struct Options {
  bool help = false;
  wire::Framing framing;
  Speech speech = Speech::bridge;
  WorkerId self;
  std::optional<int> channel;  ///< the descriptor of Node's IPC; none: stdin and stdout are used
  /// The file from which this worker draws its generation; empty: it has been told, or has none
  std::string tickets_file;
  std::string plan_file;     ///< the file with the plan; empty: none
  std::string journal_file;  ///< the file for the journal; empty: none
  std::string wire_log;      ///< the file for the wire log; empty: none
  std::uint64_t wire_log_bytes = wire::WireLog::kLimitBytes;
  faults::Plan faults;  ///< the faults of the command line; ids count from f0
  std::vector<std::string> command;
};

/// Looks a variable up; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Reads the words behind `wrap`. What they leave out of the plan, the journal, the slot, the
/// generation, the tickets, the length of a prefix and the limit comes from the POOLPROOF_*
/// variables of harness/PROTOCOL.md, section 3.
Parsed<Options> read_options(std::span<const char* const> words, const Environment& environment);

/// The plan file's faults, then those of the command line. Errors: it can't be read, or one of them
/// can't strike here.
Parsed<faults::Plan> whole_plan(const Options& options);

std::string help_text();

}  // namespace poolproof::wrap

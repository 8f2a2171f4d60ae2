#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fake_workers/plan.hpp"
#include "harness/base/ids.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/wire_log.hpp"

namespace poolproof::faults {

/// What `fake_worker` was asked to do.
struct Options {
  enum class Mode : std::uint8_t { work, list, help, version };
  Mode mode = Mode::work;
  WorkerId self;
  wire::Framing framing;
  wire::Speech speech = wire::Speech::bridge;
  std::string worker_id;                 ///< "SLOT.GENERATION" if no other name was given
  std::optional<std::string> timestamp;  ///< as JSON; none: replies carry the clock's time
  std::string plan_file;                 ///< the file with the plan; empty: none
  std::string journal_file;              ///< the file for the journal; empty: none
  bool numbered = false;                 ///< a slot or a generation was given
  std::string tickets_file;              ///< where it draws its generation; empty: it does not draw
  std::string wire_log;                  ///< the name as it was given, with %p in it; empty: no log
  std::uint64_t wire_log_bytes = wire::WireLog::kLimitBytes;
  Plan faults;  ///< the faults of the command line; ids count from f0
};

/// Looks a variable up; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Reads the command line (without the program's name); what it leaves out comes from the
/// POOLPROOF_* variables of harness/PROTOCOL.md, section 3. Errors name the option or the variable.
Parsed<Options> read_options(std::span<const char* const> args, const Environment& environment);

/// Sets what follows from the number that the worker has drawn from its `tickets_file`.
void set_ticket(Options& options, std::uint32_t ticket);

std::string help_text();
/// The fault table as JSON, the same as the Python worker's.
std::string list_text();

}  // namespace poolproof::faults

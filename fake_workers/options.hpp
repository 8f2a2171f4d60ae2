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

/// What `fake_worker` was asked to be.
struct Options {
  enum class Mode : std::uint8_t { work, list, help, version };
  Mode mode = Mode::work;
  WorkerId self;
  wire::Framing framing;
  wire::Speech speech = wire::Speech::bridge;
  std::string worker_id;                 ///< "SLOT.GENERATION" unless it was named
  std::optional<std::string> timestamp;  ///< JSON; none: the clock's
  std::string plan_file;                 ///< empty: none
  std::string journal_file;              ///< empty: none
  bool numbered = false;                 ///< a slot or a generation was given
  std::string tickets_file;              ///< it draws its generation there; empty: it does not
  std::string wire_log;                  ///< with %p in it as it was said; empty: none
  std::uint64_t wire_log_bytes = wire::WireLog::kLimitBytes;
  Plan faults;  ///< those of the command line; ids continue at f0
};

/// Looks a variable up; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

/// Reads the command line (without the program's name); what it leaves out comes from the
/// POOLPROOF_* variables of harness/PROTOCOL.md, section 3. Errors name the option or the variable.
Parsed<Options> read_options(std::span<const char* const> args, const Environment& environment);

/// Of a worker that has drawn this number from its `tickets_file`.
void set_ticket(Options& options, std::uint32_t ticket);

std::string help_text();
/// The fault table as JSON, the same as the Python worker's.
std::string list_text();

}  // namespace poolproof::faults

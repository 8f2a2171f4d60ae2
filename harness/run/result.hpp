#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"
#include "harness/oracle/oracle.hpp"

/// The results of a run as plain values, from which every report is written.
namespace poolproof::run {

/// In this order from good to bad; the worst verdict wins.
enum class Verdict : std::uint8_t { pass, unknown, invalid, divergent, fail };
inline constexpr std::array<std::string_view, 5> kVerdictNames{"pass", "unknown", "invalid",
                                                               "divergent", "fail"};
constexpr std::string_view name(Verdict v) {
  return kVerdictNames[static_cast<std::size_t>(v)];
}

/// The finding of a simulated run that reached the limit of moves.
inline constexpr std::string_view kEndless = "the run came to no end within the limit of moves";

/// One fault of the plan and how often it struck.
struct Strikes {
  std::string id;     ///< the fault's id in the plan, such as `f0`
  std::string fault;  ///< the fault's name in the catalogue
  std::size_t count = 0;
};

/// The pool's message to a client that did not get what it asked for.
struct Said {
  std::string client;
  StepKind kind = StepKind::checkout;
  Outcome outcome = Outcome::ok;
  std::string message;
};

struct ScenarioResult {
  std::string name;
  std::string file;  ///< as given on the command line, or relative to the folder given
  std::string why;
  std::vector<std::string> tags;
  std::string world = "host";
  std::uint64_t seed = 0;
  std::uint32_t repetition = 0;  ///< which repetition by --repeat it is, from 0
  Verdict verdict = Verdict::unknown;
  /// Why the verdict is invalid, divergent or unknown: a sentence each
  std::vector<std::string> reasons;
  std::vector<oracle::Finding> findings;  ///< why the verdict is fail
  std::vector<Strikes> strikes;
  std::size_t calls_ok = 0;
  std::size_t calls_failed = 0;
  std::vector<Said> said;  ///< the first 20 messages to clients
  std::string control;     ///< one sentence about the control run; empty: none was made
  std::string agreement;   ///< one sentence about both worlds; empty: only one was asked for
  Duration elapsed{};      ///< of the run and its control run together
  std::string trace_file;  ///< relative to the output folder; empty: none was kept
  std::string timeline;    ///< only for a run that did not pass; at most 20 lines
  std::string again;       ///< the command that runs it again
};

struct RunResult {
  std::string version;
  std::string command_line;
  std::uint32_t jobs = 1;
  Duration elapsed{};
  std::vector<ScenarioResult> scenarios;  ///< in the order of their files

  [[nodiscard]] Verdict worst() const;
  /// The exit code: 0 pass, 1 fail or divergent, 2 invalid, unknown or nothing ran.
  [[nodiscard]] int exit_code() const;
};

}  // namespace poolproof::run

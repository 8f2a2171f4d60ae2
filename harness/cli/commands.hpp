#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/result.hpp"
#include "harness/search/host_trial.hpp"
#include "harness/search/search_error.hpp"

/// The subcommands of `poolproof`. Each prints what it has to say and returns the exit code
/// (design, section 7).
namespace poolproof::cli {

inline constexpr int kHeld = 0;
inline constexpr int kFailed = 1;
inline constexpr int kInvalid = 2;
inline constexpr int kGateFailed = 3;
inline constexpr int kBadInput = 64;
inline constexpr int kBroken = 70;
inline constexpr int kTryAgain = 75;  ///< exit code: the work is not done; the same command goes on

struct RunArguments {
  std::vector<std::string> paths;
  std::string out = "poolproof-out";
  std::optional<std::string> seed;
  std::string world = "host";  ///< the world to run in: host, sim or both
  std::uint32_t jobs = 0;
  std::uint32_t repeat = 1;
  std::string command_line;  ///< as it was typed, for the report
};
int run(const RunArguments& arguments);

int check(const std::vector<std::string>& paths);

struct ListArguments {
  std::string what;                ///< faults, invariants or scenarios
  std::vector<std::string> paths;  ///< where scenarios are looked for; none: scenarios/
  bool json = false;
};
int list(const ListArguments& arguments);

int show(const std::string& trace_file);

/// Feeds each trace's pool records to a new Core. Returns 1 if today's Core orders something else.
int replay(const std::vector<std::string>& trace_files);

struct SweepArguments {
  std::string seed = "1";    ///< a number or any text (a commit hash)
  std::uint64_t count = 0;   ///< how many scenarios; 0: until the time is over
  std::uint64_t time_s = 0;  ///< how many seconds; 0: until the count is reached
  std::uint32_t jobs = 0;    ///< how many processes; 0: one for each usable processor
  std::string shard;         ///< K/N, K from 1; empty: all of it, or as the next two say
  std::optional<std::uint32_t> shard_index;  ///< the shard's number, from 0
  std::optional<std::uint32_t> shards;
  std::string out = "poolproof-sweep";
  bool shrink = true;
  bool host = true;  ///< try failures on real processes, and measure the rate there
  bool stop_at_failure = false;
  /// The seed of one case: carry it out and print everything about it.
  std::optional<std::string> once;
};
int sweep(const SweepArguments& arguments);

struct MergeArguments {
  std::vector<std::string> folders;  ///< the folders of shards, or of sums of shards
  std::string out;                   ///< output folder; empty: nothing is written
  bool partial = false;              ///< judge what there is, although something is missing
  bool shrink = false;
  bool host = true;  ///< try shrunk scenarios on real processes
};
/// Prints what the shards of one sweep found together.
int merge(const MergeArguments& arguments);

/// Two lines about the scenario in `file`, which failed in the simulator: the command that runs it
/// again, and how often it failed on real processes if that was tried.
std::string again_lines(const std::string& file, search::OnHost on_host = {});

struct ExploreArguments {
  std::string what;  ///< what to explore: cuts, faults or orders
  std::string out = "poolproof-explore";
  /// The most runs of each part; 0: all there are (orders have a limit of their own).
  std::uint64_t runs_most = 0;
};
int explore(const ExploreArguments& arguments);

struct ProbeArguments {
  std::vector<std::string> command;
  std::string wire;    ///< the wire's name; empty: it is found out
  std::string speech;  ///< the speech's name; empty: it is found out
  std::string byte_order = "big";
  std::uint32_t prefix_bytes = 4;
  std::string said_of_prefix;  ///< the last option about the length prefix that was given
  std::uint64_t max_frame_bytes = 16U << 20U;
  std::uint32_t timeout_ms = 5000;
  std::string wire_log;  ///< a file for the wire log; empty: none
  std::uint64_t wire_log_bytes = std::uint64_t{64} << 20U;
  /// Where the table goes as JSON and as JUnit XML; "-": to stdout, and the time line to stderr.
  std::string json;
  std::string junit;
};
/// Tries what a sound worker does and prints the table. Returns 1 if no pool can use the worker.
int probe(const ProbeArguments& arguments);

/// `poolproof wrap`: stands between a client and a worker. `words` are those behind `wrap`. Does
/// not return once the worker runs.
int wrap(std::span<const char* const> words);

struct GuardArguments {
  std::vector<std::string> command;
  std::string out = "poolproof-out";
  std::string plan;  ///< a file with planned faults; empty: none
  std::optional<double> limit_s;
  std::optional<double> end_limit_s;
  std::uint32_t starts = 30;
  bool exclusive = false;
  bool distinct = false;
  bool pass_through = false;
  std::string command_line;  ///< as it was typed, for the report
};
/// Runs a program and judges what it left behind and how it treated its workers. Returns the
/// verdict's exit code, or the program's own.
int guard(const GuardArguments& arguments);

struct CompareArguments {
  std::string base;
  std::string now;
  double limit = 0.25;
};
int compare(const CompareArguments& arguments);

/// The path of this program, for code that starts it again.
std::string own_program();

inline constexpr const char* kEmptyOut = "--out: is empty; the path of a folder";
/// Prints one line on stderr and returns 64.
int bad_input(const std::string& line);
int bad_input(const std::vector<InputError>& errors);  ///< prints a line on stderr for each error

/// Prints one line on stderr and returns 70: the harness itself can't go on.
int broken(const std::string& why);
/// Prints why a sweep or an exploration was not carried out, and returns the exit code.
int not_carried_out(std::string_view subcommand, const search::SearchError& error);

/// Prints one line on stderr and returns 75: the same command may succeed later.
int try_again(const std::string& why);

/// Prints on stdout at once. A reader that has gone (`| head`) stops nothing.
void say(std::string_view text);
/// Called at the end. Returns `code`; if something could not be written (a full disk), prints a
/// line on stderr and returns 70.
int said(int code);

}  // namespace poolproof::cli

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "harness/base/clock.hpp"
#include "harness/base/enumerators.hpp"

/// What a guard says of a program, as values.
namespace poolproof::guard {

/// Whose doing a finding is. Where nobody can tell the program's parts apart, it is the program's.
enum class Blame : std::uint8_t {
  program,
  library,  ///< the pool that the program uses
  glue,     ///< what the program's author wrote around the pool
  worker,
  harness,  ///< a fault that was planned, or our own doing
  unknown,  ///< the program's or a worker's: whoever began it had gone before it was seen
};
inline constexpr auto kBlameNames = enumerator_names<Blame>();
constexpr std::string_view name(Blame blame) {
  return kBlameNames[static_cast<std::size_t>(blame)];
}

/// Where a process can be found, and where it comes from. Texts are printable.
struct Address {
  pid_t pid = 0;
  std::string command;         ///< its command line, or its name in parentheses
  pid_t parent = 0;            ///< the process that started it; 0: not seen
  std::string parent_command;  ///< the parent's command; empty: not seen
  Duration started{};          ///< how long after the guard began
  bool operator==(const Address&) const = default;
};

/// In words: `pid 12 "sleep 60", started 1200 ms after the guard by pid 11 "python3 pool.py"`.
std::string told(const Address& address);

/// One broken invariant or, in `Judgement::remarks`, something worth knowing that no rule forbids.
struct Finding {
  std::string invariant;  ///< the invariant's name in the table
  Blame blame = Blame::program;
  std::string what;         ///< one sentence: safe on a terminal
  Duration at{};            ///< how long after the guard began
  std::vector<Address> of;  ///< the processes it is about
};

enum class Verdict : std::uint8_t {
  pass,
  invalid,  ///< a planned fault never struck, so nothing is proved
  fail,
};
inline constexpr auto kVerdictNames = enumerator_names<Verdict>();
constexpr std::string_view name(Verdict verdict) {
  return kVerdictNames[static_cast<std::size_t>(verdict)];
}

/// A planned fault, and how often it struck.
struct Strikes {
  std::string id;
  std::string fault;
  std::size_t count = 0;
};

struct Judgement {
  std::vector<Finding> findings;
  std::vector<Finding> remarks;
  std::vector<std::string> reasons;  ///< why the run proves nothing
  std::vector<Strikes> strikes;  ///< first the plan's faults, in its order; then the workers' own

  [[nodiscard]] Verdict verdict() const;
};

}  // namespace poolproof::guard

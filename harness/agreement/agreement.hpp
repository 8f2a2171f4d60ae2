#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

/// Did a real run come to what the simulator says may come of the scenario? Pure.
namespace poolproof::agreement {

/// What both worlds must agree on: how each client's steps ended, and for each incarnation who
/// leased it, how each lease ended, and why the incarnation had to go (or that it died). Not in it:
/// ids, times, sizes, pings, how often a start was tried again, texts, and what happens while a
/// worker is leaving.
///
/// Both go from what is spoken of (`client a, step 1 (call)`) to how it ended (`ok`).
struct Story {
  /// Each client, round, step and leased incarnation by itself. Of the incarnations that nobody
  /// leased only the set of their ends.
  std::map<std::string, std::string> facts;
  /// The same without telling apart the clients of one kind, their rounds, and the incarnations
  /// they leased: all that ever came of each step, all lives there were.
  std::map<std::string, std::set<std::string>> outline;
  auto operator<=>(const Story&) const = default;
};

/// The story a trace tells; of somebody else's pool, which says nothing of its leases, that of the
/// clients only.
Story story_of(const scenario::Scenario& scenario, const trace::Trace& trace);

enum class Agreement : std::uint8_t { agree, divergent, unknown, not_compared };
inline constexpr std::array<std::string_view, 4> kAgreementNames{"agree", "divergent", "unknown",
                                                                 "not_compared"};

struct AgreementResult {
  Agreement what = Agreement::unknown;
  std::string reason;  ///< one sentence; of a divergence: who, which step, and both versions
};

/// More different stories than this allow too much.
inline constexpr std::size_t kStoriesMax = 64;
/// When more than one schedule in this many says what no other says, not all has been heard.
inline constexpr std::size_t kSchedulesPerLoner = 20;

/// `simulated`: one story for each schedule tried, equal ones included (their numbers tell whether
/// enough schedules were tried). The facts of the real run must be those of one of them.
///
/// Where these are too many, or not all heard, the outlines decide: all that the real run says must
/// have been said by some schedule, and what every schedule says must be there. Unknown: where
/// those are too many or not all heard, too, or nothing was simulated.
AgreementResult compare_worlds(const scenario::Scenario& scenario,
                               const std::vector<Story>& simulated, const Story& real);

/// Why a scenario is not compared; empty: it is.
std::string why_not_compared(const scenario::Scenario& scenario);

/// Spans of which the shorter one decides what happens must differ by both of these, or a busy
/// machine decides.
inline constexpr int kTimersApart = 3;  ///< times
inline constexpr Duration kTimersApartBy = std::chrono::milliseconds(200);

/// One sentence for each pair of timers that compete and are too near to each other.
std::vector<std::string> competing_timers(const scenario::Scenario& scenario);

/// A timer that should never decide is given at least this long on real processes.
inline constexpr Duration kUnhurried = std::chrono::seconds(30);

/// The same scenario for the real run: each timeout (checkout, call, close, the start-up budget)
/// that is longer than all that is meant to happen within it becomes 30 s, if it was shorter. One
/// that is meant to run out stays, and so does one of 0. Graces, pauses and pauses between starts
/// stay: they decide nothing that is compared, or are meant to be as they are.
scenario::Scenario unhurried(const scenario::Scenario& scenario);

}  // namespace poolproof::agreement

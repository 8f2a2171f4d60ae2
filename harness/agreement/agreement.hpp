#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/base/enumerators.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"

/// Did a real run do what the simulator says it may do? Pure.
namespace poolproof::agreement {

/// What is observed of a run, and what both worlds must agree on: how each client's steps ended;
/// and for each incarnation who leased it, how each lease ended, and why it had to go or that it
/// died. Left out are ids, times, sizes, pings, the number of attempts to start, texts, and
/// whatever happens while a worker is leaving.
///
/// Both maps lead from a subject (`client a, step 1 (call)`) to how it ended (`ok`).
struct Observation {
  /// Tells every client, round, step and leased incarnation apart. For the incarnations that nobody
  /// leased there is only the set of their ends.
  std::map<std::string, std::string> facts;
  /// The same facts without telling apart the clients of one kind, their rounds and the
  /// incarnations that they leased: the set of all outcomes of each step, and the set of all lives.
  std::map<std::string, std::set<std::string>> by_kind;
  auto operator<=>(const Observation&) const = default;
};

/// What the trace of a run shows. The trace of somebody else's pool says nothing of leases and
/// shows the clients' steps only.
Observation observation_of(const scenario::Scenario& scenario, const trace::Trace& trace);

/// What a simulated run shows, to be compared with that real run. In virtual time a pool is there
/// until nothing is due any more; on real processes it is closed soon after its last client. So
/// what befalls a worker after the last client counts only where the real run shows it, too.
Observation observation_beside(const Observation& real, const scenario::Scenario& scenario,
                               const trace::Trace& simulated);

enum class Agreement : std::uint8_t { agree, divergent, unknown, not_compared };
inline constexpr auto kAgreementNames = enumerator_names<Agreement>();

struct AgreementResult {
  Agreement what = Agreement::unknown;
  std::string reason;  ///< one sentence; for a divergence: who, which step, and both versions
};

/// With more different observations than this, nearly everything would be allowed.
inline constexpr std::size_t kObservationsMax = 64;
/// If more than one schedule in this many gives an observation that no other gives, more schedules
/// would give still others.
inline constexpr std::size_t kSchedulesPerSingleton = 20;

/// `simulated`: one observation for each schedule tried, equal ones included, because their counts
/// show whether enough schedules were tried. The facts of the real run must be those of one of
/// them.
///
/// If there are too many different facts, or too few schedules to know them all, the sets by kind
/// decide: everything that the real run shows must have been shown by some schedule, and what every
/// schedule shows must be there. If these are too many as well, nothing is compared. Unknown: not
/// all of them are known, or nothing was simulated.
///
/// Timers that compete may let a real run do what no schedule does. So a scenario that has such
/// timers may agree, but is not compared where it does not; the reason names them.
AgreementResult compare_worlds(const scenario::Scenario& scenario,
                               const std::vector<Observation>& simulated, const Observation& real);

/// Why a scenario can be carried out in one world only; empty: it runs in both.
std::string why_in_one_world(const scenario::Scenario& scenario);

/// Why a scenario is never compared; empty: it is compared.
std::string why_not_compared(const scenario::Scenario& scenario);

/// Two spans of which the shorter one decides what happens must differ by this factor and by this
/// span, or else a busy machine decides.
inline constexpr int kTimersApart = 3;  ///< the longer one is at least this many times as long
inline constexpr Duration kTimersApartBy = std::chrono::milliseconds(200);

/// One sentence for each pair of timers that compete and are too close to each other. A pause
/// competes also with the starts and the calls beside it, however little they have to do.
std::vector<std::string> competing_timers(const scenario::Scenario& scenario);

/// On real processes, a timer that should never run out is given at least this long.
inline constexpr Duration kUnhurried = std::chrono::seconds(30);

/// The scenario for the real run. Each timeout (checkout, call, close, the start-up budget) that is
/// longer than everything that is meant to happen within it becomes at least 30 s. A timeout that
/// is meant to run out stays, and so does one of 0. Graces, pauses and back-offs stay as well: they
/// decide nothing that is compared, or are meant to be as they are.
scenario::Scenario unhurried(const scenario::Scenario& scenario);

}  // namespace poolproof::agreement

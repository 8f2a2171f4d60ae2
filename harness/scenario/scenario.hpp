#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "fake_workers/plan.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/enumerators.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/step_kind.hpp"
#include "harness/pool/config.hpp"
#include "harness/pool/execution.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"

namespace poolproof::scenario {

using namespace std::chrono_literals;

enum class WorldKind : std::uint8_t { sim, host };

/// What kind of program stands in a slot. `fake`: our C++ worker; `python`: our Python worker (both
/// have faults); `command`: any program, which gets no plan and writes no journal; `wrapped`: any
/// program behind `poolproof wrap`, which has both.
enum class WorkerKind : std::uint8_t { fake, python, command, wrapped };
struct WorkerSpec {
  WorkerKind kind = WorkerKind::fake;
  std::vector<std::string> argv;  ///< the program and its arguments; for real programs only
  /// The working directory of a real program. Relative to the scenario's folder, as an argv[0] with
  /// a slash is.
  std::string cwd;
  std::map<std::string, std::string> env;  ///< added to the environment that the pool gives it

  /// Whether somebody else's program stands in the slot. Only real processes can run it, and nobody
  /// knows what it makes of a command.
  [[nodiscard]] bool is_real_program() const {
    return kind == WorkerKind::command || kind == WorkerKind::wrapped;
  }
  /// Whether the worker takes the plan's faults and writes a journal of what it reads and writes.
  [[nodiscard]] bool journals() const { return kind != WorkerKind::command; }
};

/// The pool under test: the Core's options and those of the pool around it.
struct PoolSpec {
  pool::Config core;
  wire::Framing framing;
  Duration checkout_timeout = 5s;
  Duration call_timeout = 5s;
  Duration close_timeout = 5s;
  pool::OnException on_exception = pool::OnException::keep;
  /// Payloads are bytes, not envelopes: there is no init ping, and `call_bytes` replaces `call`.
  bool opaque = false;
  /// How envelopes are written; without meaning for opaque payloads
  wire::Speech speech = wire::Speech::bridge;

  [[nodiscard]] bool greets() const { return !opaque && wire::row_of(speech).greeting != nullptr; }
  /// Whether the pool can ask an idle worker whether it is well.
  [[nodiscard]] bool pings() const { return !opaque && wire::row_of(speech).ping != nullptr; }
  /// Whether the pool can ask a worker to leave by a request.
  [[nodiscard]] bool says_goodbye() const {
    return !opaque && wire::row_of(speech).goodbye != nullptr;
  }
  /// The most bytes that a reply may have that echoes a request of `asked` bytes.
  [[nodiscard]] std::uint64_t echo_bytes_max(std::uint64_t asked) const {
    constexpr std::uint64_t kAroundIt = 512;
    // MCP replies hold the result twice: as JSON and as a text whose quotes are escaped.
    return (speech == wire::Speech::mcp ? 3 * asked : asked) + kAroundIt;
  }
};

// ---- steps --------------------------------------------------------------------------------------

/// The session that a step belongs to, and how. An empty name: none.
struct SessionSpec {
  std::string name;
  pool::Affinity affinity = pool::Affinity::strict;
  pool::WhenBusy when_busy = pool::WhenBusy::wait;
};

struct Checkout {
  std::optional<Duration> timeout;
  SessionSpec session{};
};
/// The arguments of a call: an object, never null. Several calls may share one.
using Args = std::shared_ptr<const nlohmann::json>;
/// The arguments of a call without any: an empty object.
const Args& no_args();

struct Call {
  std::string command;
  Args args = no_args();
  std::optional<Duration> timeout;
  std::uint32_t pad_bytes = 0;  ///< adds `"pad": "xxx..."` of that length to the args
  std::optional<Args> reply{};  ///< what the result must be, apart from nonce and pad; never null
};
struct CallBytes {
  std::string text;
  std::optional<Duration> timeout;
  std::optional<std::string> reply{};  ///< what the reply's bytes must be
};
/// Checkout, call and check-in in one step, repeated if the call fails and may be retried. Like a
/// checkout, it first gives back what the client holds.
struct Execute {
  std::string command;
  Args args = no_args();
  /// For all tries together; none: those of checkout and call added up
  std::optional<Duration> timeout;
  std::optional<Duration> try_timeout;
  std::uint32_t pad_bytes = 0;
  std::optional<Args> reply{};
  SessionSpec session{};
  pool::Retry retry = pool::Retry::never;
  std::uint32_t retries_max = pool::ExecuteOptions{}.retries_max;
};
struct EndSession {
  std::string session;
};
struct Checkin {};
/// The holder throws with nothing in flight: the lease is destroyed by unwinding.
struct Throw {};
/// Waits until `client` (`name.2` for a copy of a client with a count) has begun (or ended) its
/// step `step`, counted from 0, in its first repetition.
struct AwaitClient {
  std::string client;
  std::uint32_t step = 0;
  bool ended = true;
};
enum class WorkerMoment : std::uint8_t { started, ready, idle, exited };
/// Waits until a worker is started, ready (its handshake ended well), idle, or exited (reaped).
struct AwaitWorker {
  WorkerId worker;
  WorkerMoment moment = WorkerMoment::exited;
};
/// Waits until a fault of the plan (by its name) has left a receipt.
struct AwaitFault {
  std::string fault;
};
struct Pause {
  Duration span{};
};
/// Cancels what `client` is waiting for at this time: its checkout or its call.
struct Cancel {
  std::string client;
};
/// A signal from outside to a worker's process.
struct SignalWorker {
  WorkerId worker;
  int signal = 9;
};
struct Close {
  std::optional<Duration> timeout;
};
/// Asks the pool to replace all the workers that it has.
struct Renew {};
/// Suspends the pool: it serves nobody until a Resume.
struct Suspend {};
struct Resume {};

using Step =
    std::variant<Checkout, Call, CallBytes, Checkin, Throw, AwaitClient, AwaitWorker, AwaitFault,
                 Pause, Cancel, SignalWorker, Close, Execute, EndSession, Renew, Suspend, Resume>;

StepKind kind(const Step& step);
inline bool is_call(const Step& step) {
  return poolproof::is_call(kind(step));
}
/// Whether a step makes a call, by itself or as a part of it.
inline bool makes_a_call(const Step& step) {
  return is_call(step) || std::holds_alternative<Execute>(step);
}
/// The session that a step names; null: a step of this kind names none.
template <class AnyStep>
auto* session_of(AnyStep& step) {
  using Session = std::remove_reference_t<decltype((std::get<Checkout>(step).session))>;
  return std::visit(
      [](auto& one) -> Session* {
        if constexpr (requires { one.session.affinity; }) return &one.session;
        return nullptr;
      },
      step);
}
/// The time limit of a step; null: a step of this kind has none.
template <class AnyStep>
auto* limit_of(AnyStep& step) {
  using Limit = std::remove_reference_t<decltype((std::get<Checkout>(step).timeout))>;
  return std::visit(
      [](auto& one) -> Limit* {
        if constexpr (requires { one.timeout; }) return &one.timeout;
        return nullptr;
      },
      step);
}
/// The word that expectations use for a step that came to what it should: "granted", "ok",
/// "returned", "thrown", "closed". Requires: the step has an outcome.
std::string_view good_word(const Step& step);

struct Client {
  std::string name;
  /// It starts when that client is done (`name.2` for a copy of a client with a count)
  std::string after;
  /// How many copies of it there are; more than one are named `name.1`, `name.2`...
  std::uint32_t count = 1;
  std::uint32_t repeat = 1;  ///< how many times its steps are done
  std::vector<Step> steps;
};

// ---- expectations -------------------------------------------------------------------------------

/// What one step must come to. In JSON: "granted", "ok", "returned", "thrown", "closed",
/// "skipped", {"error": OUTCOME, "phase"?: PHASE, "cause"?: START_CAUSE, "says"?: part of the
/// message}, or {"any_of": [...]}.
struct ExpectedOne {
  bool skipped = false;  ///< the step is skipped: it needs a lease, and there is none
  Outcome outcome = Outcome::ok;
  std::optional<Phase> phase;
  std::optional<StartCause> cause;
  std::string says;
};
using Expected = std::vector<ExpectedOne>;  ///< the step must come to one of these

/// How an incarnation ended: `closed` lived until the pool closed; `killed` was put away by the
/// pool before; `died` ended by itself or by the environment; `unborn` never existed.
enum class Fate : std::uint8_t { closed, killed, died, unborn };
/// The last step of the stop ladder that the pool took with a worker before the worker was gone.
enum class Farewell : std::uint8_t { asked, end_of_input, term, kill };
struct ExpectedFate {
  WorkerId worker;
  std::vector<Fate> any_of;
  /// The last step of the stop ladder must be one of these; empty: any may be
  std::vector<Farewell> by{};
  std::optional<ExitStatus> exit{};  ///< how its process must end; nothing: in any way
};

struct Expectations {
  /// By the client's name (the entries hold for each copy of a client with a count), one entry for
  /// each step that has an outcome (for a repeated client: in each repetition). Trailing "skipped"
  /// entries may be left out.
  std::map<std::string, std::vector<Expected>> clients;
  std::vector<ExpectedFate> workers;
  bool no_success = false;  ///< no call may succeed; if this is false, some call must
  /// Calls may succeed or not: after a storm, only the invariants judge.
  bool any_success = false;
};

inline constexpr std::size_t kScheduleMax = 100'000;
inline constexpr std::uint32_t kScheduleChoiceMax = 65'535;

/// Everything that one run needs. Immutable once loaded; the generator, the shrinker, the runner
/// and all reports use this type.
struct Scenario {
  std::string name;
  std::string why;
  std::vector<std::string> tags;
  std::vector<WorldKind> worlds{WorldKind::sim, WorldKind::host};
  std::uint64_t seed = 0;
  PoolSpec pool;
  std::vector<WorkerSpec> workers;  ///< slot n gets workers[n % size]
  std::vector<Client> clients;
  faults::Plan faults;
  Expectations expect;
  /// The simulator's choices among the moves that are possible at each point, in order; after the
  /// last one it always takes the first move. Without a schedule, the seed chooses. Real processes
  /// ignore it. At most kScheduleMax entries.
  std::optional<std::vector<std::uint32_t>> schedule;

  [[nodiscard]] bool tagged(std::string_view tag) const;
  [[nodiscard]] bool runs_in(WorldKind world) const;
};

/// Calls `visit` for every step of every client.
template <class Visit>
void for_each_step(auto& scenario, Visit visit) {
  for (auto& client : scenario.clients) {
    for (auto& step : client.steps) visit(step);
  }
}
/// Whether `wanted` is true for some step of any client.
template <class Wanted>
bool any_step(const Scenario& scenario, Wanted wanted) {
  return std::ranges::any_of(scenario.clients, [&](const Client& client) {
    return std::ranges::any_of(client.steps, wanted);
  });
}

inline constexpr auto kWorldNames = enumerator_names<WorldKind>();
inline constexpr auto kWorkerKindNames = enumerator_names<WorkerKind>();
inline constexpr auto kWorkerMomentNames = enumerator_names<WorkerMoment>();
inline constexpr auto kFateNames = enumerator_names<Fate>();
inline constexpr std::array<std::string_view, 4> kFarewellNames{"asked", "end_of_input", "TERM",
                                                                "KILL"};

/// Reads a scenario. All that the text alone shows to be wrong is an error: unknown keys ("did you
/// mean"), wrong types, bounds, unknown faults, impossible coordinates, an awaited client or step
/// that does not exist, an `after` circle, expectations for nobody or longer than the steps,
/// duplicate names, `call` in an opaque pool... `where` is the file's name; errors point into it:
/// `x.json#/clients/0/steps/2: ...`.
Parsed<Scenario> read_scenario(std::string_view json_text, const std::string& where);

/// The scenario as JSON text (2 spaces, keys in the order of the schema); read_scenario() reads the
/// same value back.
std::string write_scenario(const Scenario& scenario);

/// Whether it has faults or signals from outside, so that it is run without them as well.
bool harms(const Scenario& scenario);

/// The control of a scenario: the same without its faults and signals from outside, without
/// expectations, and without the schedule, whose choices are about other events. What can come only
/// by a fault (a receipt, a worker's exit, the next generation) is not awaited. All these steps
/// become pauses of no length, so that every step keeps its number.
Scenario control_of(const Scenario& scenario);

}  // namespace poolproof::scenario

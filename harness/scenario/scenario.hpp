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

/// What stands in a slot. `fake` is our C++ worker, `python` our Python one (both with faults),
/// `command` any program, which gets no plan and writes no journal, `wrapped` any program behind
/// `poolproof wrap`, which has both.
enum class WorkerKind : std::uint8_t { fake, python, command, wrapped };
struct WorkerSpec {
  WorkerKind kind = WorkerKind::fake;
  std::vector<std::string> argv;  ///< of a real program only
  /// Of a real program: where it runs. Relative to the scenario's folder, as argv[0] with a slash
  /// is.
  std::string cwd;
  std::map<std::string, std::string> env;  ///< on top of what the pool gives it

  /// Somebody else's, which only real processes can be: nobody knows what it makes of a command.
  [[nodiscard]] bool is_real_program() const {
    return kind == WorkerKind::command || kind == WorkerKind::wrapped;
  }
  /// It takes the plan's faults, and its journal shows what it read and wrote.
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
  /// Payloads are bytes, not envelopes: no init ping, `call_bytes` instead of `call`.
  bool opaque = false;
  wire::Speech speech = wire::Speech::bridge;  ///< of what is not opaque

  [[nodiscard]] bool greets() const { return !opaque && wire::row_of(speech).greeting != nullptr; }
  /// A request asks a worker to leave.
  [[nodiscard]] bool says_goodbye() const {
    return !opaque && wire::row_of(speech).goodbye != nullptr;
  }
  /// So much may a reply have that says what was asked.
  [[nodiscard]] std::uint64_t echo_bytes_max(std::uint64_t asked) const {
    constexpr std::uint64_t kAroundIt = 512;
    // As JSON and, with a mark before each quote, as text.
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
/// The arguments of a call: an object, never null. Calls may share it.
using Args = std::shared_ptr<const nlohmann::json>;
/// An empty object.
const Args& no_args();

struct Call {
  std::string command;
  Args args = no_args();
  std::optional<Duration> timeout;
  std::uint32_t pad_bytes = 0;  ///< adds `"pad": "xxx..."` of that length to the args
  std::optional<Args> reply{};  ///< what the result must be, without nonce and pad; never null
};
struct CallBytes {
  std::string text;
  std::optional<Duration> timeout;
  std::optional<std::string> reply{};  ///< what the reply's bytes must be
};
/// Checkout, call and check-in in one, again if it fails and may. As a checkout does, it gives back
/// first what the client holds.
struct Execute {
  std::string command;
  Args args = no_args();
  std::optional<Duration> timeout;  ///< over all; else those of checkout and call together
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
/// Waits until `client` (`name.2` of a counted one) has begun (or ended) its step `step`, counted
/// from 0, in its first repetition.
struct AwaitClient {
  std::string client;
  std::uint32_t step = 0;
  bool ended = true;
};
enum class WorkerMoment : std::uint8_t { started, ready, idle, exited };
/// Waits for a worker's fate: started, ready (greeted good), idle, exited (reaped).
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
/// Cancels what `client` waits for now: its checkout or its call.
struct Cancel {
  std::string client;
};
/// The environment strikes: a signal to the worker's process.
struct SignalWorker {
  WorkerId worker;
  int signal = 9;
};
struct Close {
  std::optional<Duration> timeout;
};
/// Asks the pool to replace every worker it has.
struct Renew {};
/// The pool serves nobody until a Resume.
struct Suspend {};
struct Resume {};

using Step =
    std::variant<Checkout, Call, CallBytes, Checkin, Throw, AwaitClient, AwaitWorker, AwaitFault,
                 Pause, Cancel, SignalWorker, Close, Execute, EndSession, Renew, Suspend, Resume>;

StepKind kind(const Step& step);
inline bool is_call(const Step& step) {
  return poolproof::is_call(kind(step));
}
/// A call, or a step that makes one.
inline bool makes_a_call(const Step& step) {
  return is_call(step) || std::holds_alternative<Execute>(step);
}
/// The session that a step names; null: it can't.
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
/// The time limit of a step of a kind that may have one; null: it can't.
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
/// What expectations call a step that came to what it should: "granted", "ok", "returned",
/// "thrown", "closed". Only of steps that have an outcome.
std::string_view good_word(const Step& step);

struct Client {
  std::string name;
  std::string after;         ///< starts when that client is done (`name.2` of a counted one)
  std::uint32_t count = 1;   ///< that many alike; more than one are named `name.1`, `name.2`...
  std::uint32_t repeat = 1;  ///< the steps are done that many times
  std::vector<Step> steps;
};

// ---- expectations -------------------------------------------------------------------------------

/// What one step must come to. In JSON: "granted", "ok", "returned", "thrown", "closed",
/// "skipped", {"error": OUTCOME, "phase"?: PHASE, "cause"?: START_CAUSE, "says"?: part of the
/// message}, or {"any_of": [...]}.
struct ExpectedOne {
  bool skipped = false;  ///< it needs a lease and there was none
  Outcome outcome = Outcome::ok;
  std::optional<Phase> phase;
  std::optional<StartCause> cause;
  std::string says;
};
using Expected = std::vector<ExpectedOne>;  ///< any of these

/// How an incarnation ended: `closed` lived until the pool closed; `killed` was put away by the
/// pool before; `died` ended by itself or by the environment; `unborn` never existed.
enum class Fate : std::uint8_t { closed, killed, died, unborn };
/// What a worker left by: the last that the pool did to it before it was gone.
enum class Farewell : std::uint8_t { asked, end_of_input, term, kill };
struct ExpectedFate {
  WorkerId worker;
  std::vector<Fate> any_of;
  std::vector<Farewell> by{};        ///< any of these; empty: it does not matter
  std::optional<ExitStatus> exit{};  ///< how its process ended
};

struct Expectations {
  /// By client name (for a counted client: of each of them), one entry for each step that has an
  /// outcome (for a repeated client: in each repetition). Trailing "skipped" entries may be left
  /// out.
  std::map<std::string, std::vector<Expected>> clients;
  std::vector<ExpectedFate> workers;
  bool no_success = false;  ///< no call may succeed: without it, some call must
  /// Calls may succeed or not: what a storm leaves of them is for the invariants to judge.
  bool any_success = false;
};

inline constexpr std::size_t kScheduleMax = 100'000;
inline constexpr std::uint32_t kScheduleChoiceMax = 65'535;

/// Everything one run needs. Immutable once loaded; generator, shrinker, runner and reports all
/// speak of this value.
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
  /// The simulator's choices among what could happen next, in order; beyond its end always the
  /// first. Without it the seed chooses. Real processes ignore it. At most kScheduleMax entries.
  std::optional<std::vector<std::uint32_t>> schedule;

  [[nodiscard]] bool tagged(std::string_view tag) const;
  [[nodiscard]] bool runs_in(WorldKind world) const;
};

/// Every step of every client.
template <class Visit>
void for_each_step(auto& scenario, Visit visit) {
  for (auto& client : scenario.clients) {
    for (auto& step : client.steps) visit(step);
  }
}
/// Whether a step of any client is such a one.
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

/// Reads a scenario. All that can be refuted from the text alone is an error: unknown keys ("did
/// you mean"), wrong types, bounds, unknown faults, impossible coordinates, a client or step
/// awaited that does not exist, an `after` circle, expectations for nobody or longer than the
/// steps, duplicate names, `call` in an opaque pool... `where` is the file's name; errors point
/// into it: `x.json#/clients/0/steps/2: ...`.
Parsed<Scenario> read_scenario(std::string_view json_text, const std::string& where);

/// The same value as JSON text (2 spaces, keys in the order of the schema); read_scenario gives it
/// back.
std::string write_scenario(const Scenario& scenario);

/// The same scenario with its faults switched off, signals from outside too, without expectations
/// and without the schedule, whose choices are about other events.
/// What can only come by a fault (a receipt, a worker's exit, the next generation) is not awaited.
/// All these steps become pauses of no length, so that every step keeps its number.
Scenario control_of(const Scenario& scenario);

}  // namespace poolproof::scenario

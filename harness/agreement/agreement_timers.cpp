#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/agreement/agreement.hpp"
#include "harness/agreement/spans.hpp"
#include "harness/base/signals.hpp"
#include "harness/scenario/client_name.hpp"

/// Which timers of a scenario compete with which events: answered from the file, before any run.
namespace poolproof::agreement {
namespace {

using faults::PlannedFault;
using scenario::Client;
using scenario::Scenario;
using scenario::Step;

struct Timer {
  std::string what;
  Duration limit;
  Aims aims;
  std::function<void(Duration)> set = {};  ///< changes the limit; none: it stays

  /// Whether everything that is meant to happen within the limit does so before it runs out.
  [[nodiscard]] bool never_runs_out() const {
    return std::ranges::all_of(aims, [this](const Aim& a) { return a.span < limit; });
  }
};

// ---- the scenario, looked through once ---------------------------------------------------------

class Timers {
 public:
  explicit Timers(Scenario& scenario) : scenario_(scenario) {}

  std::vector<Timer> all() {
    std::vector<Timer> timers{startup_budget(), final_close(), idle_session()};
    for (auto& client : scenario_.clients) {
      for (std::size_t i = 0; i < client.steps.size(); ++i) {
        if (std::holds_alternative<scenario::Pause>(client.steps[i])) {
          timers.push_back(pause(client, i));
        } else if (scenario::limit_of(client.steps[i]) != nullptr) {
          timers.push_back(limit(client, i));
        }
        auto* const execute = std::get_if<scenario::Execute>(&client.steps[i]);
        if (execute != nullptr && execute->try_timeout) timers.push_back(one_try(client, i));
      }
    }
    for (Timer& grace : graces()) timers.push_back(std::move(grace));
    for (Timer& own : of_workers()) timers.push_back(std::move(own));
    std::erase_if(timers, [](const Timer& timer) { return timer.limit == kNone; });
    return timers;
  }

 private:
  // ---- timers

  Timer startup_budget() {
    return {"the start-up budget", scenario_.pool.core.startup_budget, start_delays(),
            [this](Duration limit) { scenario_.pool.core.startup_budget = limit; }};
  }

  /// The timeout of the close at the end. Nothing competes with it: no lease is open any more, and
  /// what leaving workers do decides nothing.
  Timer final_close() {
    return {"the close timeout", scenario_.pool.close_timeout, {}, [this](Duration limit) {
              scenario_.pool.close_timeout = limit;
            }};
  }

  /// The timeout of one try of an execution.
  Timer one_try(Client& client, std::size_t place) {
    auto& execute = std::get<scenario::Execute>(client.steps[place]);
    return {timer_name(client, place) + ", of one try", *execute.try_timeout,
            call_aims(client, place), [&execute](Duration limit) { execute.try_timeout = limit; }};
  }

  /// The idle timeout of sessions. It competes with whatever clients do between two uses of a
  /// session.
  Timer idle_session() {
    Timer timer{"the sessions' idle timeout", scenario_.pool.core.session_idle_timeout, {}};
    for (const Client& client : scenario_.clients) {
      for (std::size_t i = 0; i < client.steps.size(); ++i) {
        const auto* session = scenario::session_of(client.steps[i]);
        const auto* pause = std::get_if<scenario::Pause>(&client.steps[i]);
        if (session != nullptr && !session->name.empty())
          timer.aims.push_back({timer_name(client, i), kBrief});
        if (pause != nullptr) timer.aims.push_back({timer_name(client, i), pause->span});
      }
    }
    return timer;
  }

  [[nodiscard]] static bool asks_for_a_worker(const Step& step) {
    return std::holds_alternative<scenario::Checkout>(step) ||
           std::holds_alternative<scenario::Execute>(step);
  }

  /// The timeout of a checkout, a call, an execution or a close.
  Timer limit(Client& client, std::size_t place) {
    Step& step = client.steps[place];
    Aims aims;
    if (makes_a_call(step)) aims = call_aims(client, place);
    if (!is_call(step)) {
      if (asks_for_a_worker(step)) {
        append(aims, start_ends());
        append(aims, leavings(scenario_));
        append(aims, suspensions(scenario_, client, place));
      }
      append(aims, holds_of_others(client, place));
      append(aims, who_awaits(client, place));
    }
    return {timer_name(client, place), timeout_of(step), std::move(aims),
            [&step](Duration limit) { *scenario::limit_of(step) = limit; }};
  }

  /// The time of a pause. It gives others time, so it competes with everything that they wait for.
  Timer pause(const Client& client, std::size_t place) {
    Aims aims = start_delays();
    bool later = false;
    for (const Client& other : scenario_.clients) {
      later = later || &other == &client;
      if (&other == &client || one_after_the_other(client, other)) continue;
      for (std::size_t i = 0; i < other.steps.size(); ++i) {
        const Step& step = other.steps[i];
        if (asks_for_a_worker(step)) {
          aims.push_back({timer_name(other, i), timeout_of(step)});
          aims.push_back({"a start for client " + other.name, kBrief});
        }
        if (makes_a_call(step)) {
          aims.push_back({fmt::format("the call of client {}, step {}", other.name, i),
                          std::max(call_length(other, i), kBrief)});
        }
        const auto* pause = std::get_if<scenario::Pause>(&step);
        if (pause != nullptr && later && !ordered(client, other))
          aims.push_back({timer_name(other, i), pause->span});
      }
    }
    return {timer_name(client, place), std::get<scenario::Pause>(client.steps[place]).span,
            std::move(aims)};
  }

  /// A worker that is slow to exit competes with each sum of graces after which it is pushed
  /// harder.
  [[nodiscard]] std::vector<Timer> graces() const {
    const auto& core = scenario_.pool.core;
    const Aims aims = slow_exits(scenario_);
    return {{"the shutdown grace", core.shutdown_grace, aims},
            {"the shutdown and stdin graces", core.shutdown_grace + core.stdin_grace, aims},
            {"all graces", core.shutdown_grace + core.stdin_grace + core.term_grace, aims}};
  }

  /// The pool's own timers of a worker compete with whatever it is used for, and with what its
  /// clients do in between.
  [[nodiscard]] std::vector<Timer> of_workers() const {
    Aims aims;
    for (const Client& client : scenario_.clients) {
      for (std::size_t i = 0; i < client.steps.size(); ++i) {
        const auto* pause = std::get_if<scenario::Pause>(&client.steps[i]);
        if (pause != nullptr) aims.push_back({timer_name(client, i), pause->span});
        if (!makes_a_call(client.steps[i])) continue;
        aims.push_back({fmt::format("the call of client {}, step {}", client.name, i),
                        std::max(call_length(client, i), kBrief)});
      }
    }
    const auto& core = scenario_.pool.core;
    const Duration cut = core.max_lifetime * core.lifetime_jitter_percent / 100;
    const Duration shortest =
        std::max(core.max_lifetime - cut, std::min(core.max_lifetime, kBrief));
    return {{"a worker's longest lifetime", core.max_lifetime, aims},
            {"a worker's shortest lifetime", shortest, aims},
            {"a worker's idle timeout", core.idle_timeout, aims},
            {"the idle ping interval", core.idle_ping_interval, aims},
            {"the time between two looks at memory",
             core.max_rss_bytes > 0 ? core.rss_interval : kNone, aims}};
  }

  // ---- calls

  /// The timeout of a step that may have one: its own or the pool's.
  [[nodiscard]] Duration timeout_of(const Step& step) const {
    const scenario::PoolSpec& pool = scenario_.pool;
    if (const auto* execute = std::get_if<scenario::Execute>(&step)) {
      return execute->timeout.value_or(pool.checkout_timeout + pool.call_timeout);
    }
    const Duration of_the_pool = is_call(step) ? pool.call_timeout
                                 : std::holds_alternative<scenario::Checkout>(step)
                                     ? pool.checkout_timeout
                                     : pool.close_timeout;
    return scenario::limit_of(step)->value_or(of_the_pool);
  }

  [[nodiscard]] Aims call_aims(const Client& client, std::size_t place) const {
    Aims aims;
    for (const auto& fault : scenario_.faults) {
      const Duration span = span_of(fault, scenario_);
      // Who calls a stalled worker next is not always known: any call may.
      const bool touches =
          touches_call(fault, client, place) || faults::stalls_later_requests(fault);
      if (span > kNone && touches) aims.push_back({name_of(fault), span});
    }
    const auto* call = std::get_if<scenario::Call>(&client.steps[place]);
    const auto* execute = std::get_if<scenario::Execute>(&client.steps[place]);
    if (call != nullptr) append(aims, busy(call->command, *call->args));
    if (execute != nullptr) append(aims, busy(execute->command, *execute->args));
    if (stops_a_worker(scenario_)) aims.push_back({"a stopped worker", kEndless});
    return aims;
  }

  /// How long the call lasts; kNone: no longer than an echo.
  [[nodiscard]] Duration call_length(const Client& client, std::size_t place) const {
    Duration length = kNone;
    for (const Aim& aim : call_aims(client, place)) length = std::max(length, aim.span);
    return std::min(length, timeout_of(client.steps[place]));
  }

  [[nodiscard]] static bool touches_call(const PlannedFault& fault, const Client& client,
                                         std::size_t place) {
    using faults::Moment;
    if (faults::aimed_by_incarnation(*fault.fault)) return false;
    if (fault.at.client.empty()) return fault.at.request.value_or(1) > 0;
    if (!scenario::is_named(client, fault.at.client)) return false;
    // Nobody knows how often an execution is tried: the fault may strike at any call of the client.
    const bool may_retry = std::ranges::any_of(client.steps, [](const Step& step) {
      const auto* execute = std::get_if<scenario::Execute>(&step);
      return execute != nullptr && execute->retry != pool::Retry::never;
    });
    if (may_retry) return true;
    const auto begin = client.steps.begin();
    const auto before =
        std::count_if(begin, begin + static_cast<std::ptrdiff_t>(place), scenario::makes_a_call);
    const auto each = std::count_if(begin, client.steps.end(), scenario::makes_a_call);
    return (static_cast<std::ptrdiff_t>(fault.at.call) - 1) % each == before;
  }

  // ---- starts

  [[nodiscard]] static bool touches_start(const PlannedFault& fault) {
    using faults::Moment;
    const Moment moment = fault.fault->moment;
    if (moment == Moment::start || moment == Moment::launch) return true;
    if (moment == Moment::idle || moment == Moment::shutdown) return false;
    return fault.at.client.empty() && fault.at.request.value_or(0) == 0;
  }

  [[nodiscard]] Aims start_delays() const {
    Aims aims;
    for (const auto& fault : scenario_.faults) {
      const Duration span = touches_start(fault) ? span_of(fault, scenario_) : kNone;
      if (span > kNone) aims.push_back({name_of(fault), span});
    }
    if (stops_a_worker(scenario_)) aims.push_back({"a stopped worker", kEndless});
    return aims;
  }

  /// When a client that waits for a start knows the result: after the delay of a slow start; for
  /// failing ones, after the last failure or when the breaker opens.
  [[nodiscard]] Aims start_ends() const {
    const auto& core = scenario_.pool.core;
    Aims aims;
    Duration each = kNone;
    std::set<std::uint32_t> generations;
    bool all_fail = false;
    for (const auto& fault : scenario_.faults) {
      if (!touches_start(fault)) continue;
      const Duration span = span_of(fault, scenario_);
      if (span > kNone && span < core.startup_budget) aims.push_back({name_of(fault), span});
      if (fault.fault->harmless && span < core.startup_budget) continue;
      if (span >= core.startup_budget)
        each = std::max(each, core.startup_budget + core.postmortem_budget);
      all_fail = all_fail || !fault.at.generation;
      generations.insert(fault.at.generation.value_or(0));
    }
    if (generations.empty()) return aims;
    auto failures = static_cast<std::uint32_t>(generations.size());
    if (all_fail) failures = core.breaker_failures;
    aims.push_back({"the failing starts", failures == 0 ? kEndless : failing(failures, each)});
    return aims;
  }

  [[nodiscard]] Duration failing(std::uint32_t failures, Duration each) const {
    const auto& core = scenario_.pool.core;
    // After so many failures the sum is longer than any timer
    constexpr std::uint32_t kMost = 1000;
    Duration sum = kNone;
    Duration pause = core.backoff_initial;
    for (std::uint32_t i = 0; i < std::min(failures, kMost); ++i) {
      sum += each;
      // After the last failure the breaker opens, or the next start succeeds after its pause.
      sum += std::min(pause, core.backoff_max);
      pause = std::min(2 * pause, core.backoff_max);
    }
    return sum;
  }

  // ---- clients

  /// How long another client may hold a lease while this client is at that step.
  [[nodiscard]] Aims holds_of_others(const Client& client, std::size_t place) const {
    Aims aims;
    for (const Client& other : scenario_.clients) {
      const bool itself = &other == &client && client.count == 1;
      if (itself || one_after_the_other(client, other)) continue;
      const Duration held = hold_of(other, client, place);
      if (held > kNone) aims.push_back({"what client " + other.name + " does meanwhile", held});
    }
    return aims;
  }

  [[nodiscard]] Duration hold_of(const Client& other, const Client& client,
                                 std::size_t place) const {
    Duration held = kNone;
    bool holds = false;
    for (std::size_t i = 0; i < other.steps.size(); ++i) {
      const Step& step = other.steps[i];
      if (asks_for_a_worker(step)) holds = true;
      if (!holds && awaits_end(step, client, place)) return kNone;
      if (!holds) continue;
      if (makes_a_call(step)) held = plus(held, call_length(other, i));
      if (const auto* pause = std::get_if<scenario::Pause>(&step)) held = plus(held, pause->span);
    }
    return held;
  }

  /// A client that goes on only after this step may be what the step itself waits for: empty or one
  /// endless event.
  [[nodiscard]] Aims who_awaits(const Client& client, std::size_t place) const {
    for (const Client& other : scenario_.clients) {
      for (const Step& step : other.steps) {
        if (awaits_end(step, client, place))
          return {{"client " + other.name + ", which awaits it", kEndless}};
      }
    }
    return {};
  }

  [[nodiscard]] static bool awaits_end(const Step& step, const Client& client, std::size_t place) {
    const auto* await = std::get_if<scenario::AwaitClient>(&step);
    if (await == nullptr || !scenario::is_named(client, await->client)) return false;
    return await->step > place || (await->step == place && await->ended);
  }

  [[nodiscard]] const Client* predecessor(const Client& client) const {
    for (const Client& other : scenario_.clients) {
      if (!client.after.empty() && scenario::is_named(other, client.after)) return &other;
    }
    return nullptr;
  }

  [[nodiscard]] bool comes_after(const Client& late, const Client& early) const {
    for (const auto* before = predecessor(late); before != nullptr; before = predecessor(*before)) {
      // Of several clients of one kind only one is awaited.
      if (before == &early) return early.count == 1;
    }
    return false;
  }

  [[nodiscard]] bool one_after_the_other(const Client& a, const Client& b) const {
    return comes_after(a, b) || comes_after(b, a);
  }

  /// Whether one of the two clients awaits the other, so that their pauses do not begin
  /// independently.
  [[nodiscard]] static bool ordered(const Client& a, const Client& b) {
    const auto awaits = [](const Client& waiting, const Client& awaited) {
      return std::ranges::any_of(waiting.steps, [&](const Step& step) {
        const auto* await = std::get_if<scenario::AwaitClient>(&step);
        return await != nullptr && scenario::is_named(awaited, await->client);
      });
    };
    return awaits(a, b) || awaits(b, a);
  }

  static void append(Aims& aims, const Aims& more) {
    aims.insert(aims.end(), more.begin(), more.end());
  }

  [[nodiscard]] static std::string timer_name(const Client& client, std::size_t place) {
    const bool pause = std::holds_alternative<scenario::Pause>(client.steps[place]);
    return fmt::format(
        "the {} of client {}, step {}",
        pause ? "pause" : fmt::format("{} timeout", name(scenario::kind(client.steps[place]))),
        client.name, place);
  }

  Scenario& scenario_;
};

bool too_near(Duration a, Duration b) {
  const auto [less, more] = std::minmax(a, b);
  if (less == kNone || more == kEndless) return false;
  return more / kTimersApart < less || more - less < kTimersApartBy;
}

std::string length(Duration span) {
  return span == kBrief ? "as long as the machine takes" : fmt::format("{} ms", to_ms(span));
}

}  // namespace

std::vector<std::string> competing_timers(const Scenario& scenario) {
  Scenario copy = scenario;
  std::vector<std::string> sentences;
  Timers measured(copy);
  for (const Timer& timer : measured.all()) {
    for (const Aim& aim : timer.aims) {
      if (!too_near(timer.limit, aim.span)) continue;
      sentences.push_back(
          fmt::format("{} ({} ms) and {} ({}) compete: they must differ by {}x "
                      "and {} ms",
                      timer.what, to_ms(timer.limit), aim.what, length(aim.span), kTimersApart,
                      to_ms(kTimersApartBy)));
    }
  }
  return sentences;
}

Scenario unhurried(const Scenario& scenario) {
  Scenario calm = scenario;
  // The harness closes with the pool's timeout, and so does a step that says none; but only the
  // step competes with anything.
  for (auto& client : calm.clients) {
    for (auto& step : client.steps) {
      auto* const close = std::get_if<scenario::Close>(&step);
      if (close != nullptr && !close->timeout) close->timeout = calm.pool.close_timeout;
    }
  }
  // Everything is measured before anything is changed.
  Timers measured(calm);  // the timers' setters refer to it
  const std::vector<Timer> timers = measured.all();
  for (const Timer& timer : timers) {
    if (timer.set && timer.never_runs_out()) timer.set(std::max(timer.limit, kUnhurried));
  }
  calm.pool.core.silence_max = std::max(calm.pool.core.silence_max, kUnhurried);
  return calm;
}

}  // namespace poolproof::agreement

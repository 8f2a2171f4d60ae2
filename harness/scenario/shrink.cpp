#include "harness/scenario/shrink.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>

#include <nlohmann/json.hpp>

#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/shrink_edits.hpp"

namespace poolproof::scenario {
namespace {

/// Up to this number of steps and faults, every two of them are tried together.
constexpr std::size_t kPairedMost = 20;

/// Keeps the smallest scenario that still fails; all candidates are tried here.
class Search {
 public:
  Search(Scenario failing, const std::function<bool(Scenario&)>& fails, ShrinkBudget budget)
      : fails_(fails), budget_(budget) {
    found_.scenario = std::move(failing);
    found_.way.push_back(found_.scenario);
  }

  [[nodiscard]] const Scenario& best() const { return found_.scenario; }
  [[nodiscard]] std::size_t steps_taken() const { return found_.steps_taken; }
  [[nodiscard]] bool over() const { return found_.attempts >= budget_.attempts; }
  [[nodiscard]] Shrunk take() { return std::move(found_); }

  /// Keeps the best scenario with an edit if it still fails. `edit` says if it changed anything.
  template <class Edit>
  bool attempt(Edit edit) {
    return attempt(edit, [](const Scenario&) { return true; });
  }

  /// Like attempt(), for edits of the order: the candidate must fail in exactly its own order.
  template <class Edit>
  bool attempt_order(Edit edit) {
    std::optional<std::vector<std::uint32_t>> schedule;
    std::uint64_t seed = 0;
    const auto noted = [&](Scenario& candidate) {
      const bool changed = edit(candidate);
      schedule = candidate.schedule;
      seed = candidate.seed;
      return changed;
    };
    return attempt(noted, [&](const Scenario& candidate) {
      return candidate.schedule == schedule && candidate.seed == seed;
    });
  }

 private:
  template <class Edit, class Wanted>
  bool attempt(Edit edit, Wanted is_wanted) {
    if (over()) return false;
    Scenario candidate = best();
    if (!edit(candidate) || !is_sound(candidate)) return false;
    ++found_.attempts;
    if (!fails_(candidate) || !is_wanted(candidate)) return false;
    found_.scenario = std::move(candidate);
    found_.way.push_back(found_.scenario);
    ++found_.steps_taken;
    return true;
  }

  const std::function<bool(Scenario&)>& fails_;
  ShrinkBudget budget_;
  Shrunk found_;
};

/// Edits from the last element to the first: dropping one does not move those still to come.
template <class Edit>
void each_from_last(Search& search, std::size_t count, Edit edit) {
  for (std::size_t i = count; i-- > 0;) {
    search.attempt([&](Scenario& candidate) { return edit(candidate, i); });
  }
}

// ---- whole parts --------------------------------------------------------------------------------

void natural_order(Search& search) {
  search.attempt_order([](Scenario& candidate) {
    if (candidate.schedule && candidate.schedule->empty()) return false;
    candidate.schedule.emplace();
    return true;
  });
}

void expectations(Search& search) {
  search.attempt([](Scenario& candidate) {
    const Expectations& expect = candidate.expect;
    if (expect.any_success && expect.clients.empty() && expect.workers.empty()) return false;
    candidate.expect = {};
    candidate.expect.any_success = true;
    return true;
  });
}

void clients(Search& search) {
  each_from_last(search, search.best().clients.size(), drop_client);
}

void faults(Search& search) {
  search.attempt([](Scenario& candidate) {
    if (candidate.faults.size() < 2) return false;
    candidate.faults.clear();
    return true;
  });
  each_from_last(search, search.best().faults.size(), drop_fault);
}

void counts(Search& search) {
  for (std::size_t i = 0; i < search.best().clients.size(); ++i) {
    const Client client = search.best().clients[i];
    for (const std::uint32_t count : {1U, client.count / 2, client.count - 1}) {
      search.attempt([&](Scenario& candidate) { return set_count(candidate, i, count); });
    }
    for (const std::uint32_t repeat : {1U, client.repeat / 2, client.repeat - 1}) {
      search.attempt([&](Scenario& candidate) { return set_repeat(candidate, i, repeat); });
    }
  }
}

void at_once(Search& search) {
  each_from_last(search, search.best().clients.size(), [](Scenario& candidate, std::size_t i) {
    if (candidate.clients[i].after.empty()) return false;
    candidate.clients[i].after.clear();
    return true;
  });
}

/// Drops first halves of a client's steps, and at last single steps.
void steps(Search& search) {
  for (std::size_t i = search.best().clients.size(); i-- > 0;) {
    // A cut may take other clients with it, whose last steps were about this one.
    if (i >= search.best().clients.size()) continue;
    for (std::size_t chunk = search.best().clients[i].steps.size() / 2; chunk > 0; chunk /= 2) {
      if (i >= search.best().clients.size()) break;
      const std::size_t pieces = (search.best().clients[i].steps.size() + chunk - 1) / chunk;
      each_from_last(search, pieces, [&](Scenario& candidate, std::size_t piece) {
        return drop_steps(candidate, i, piece * chunk, chunk);
      });
    }
  }
}

/// A part of a scenario that can be dropped: a step of a client, or a fault.
struct Part {
  std::optional<std::size_t> client;  ///< the step's client; none: the part is a fault
  std::size_t place;
};

std::vector<Part> parts_of(const Scenario& scenario) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    for (std::size_t step = 0; step < scenario.clients[i].steps.size(); ++step) {
      parts.push_back({i, step});
    }
  }
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) parts.push_back({std::nullopt, i});
  return parts;
}

bool drop(Scenario& scenario, const Part& part) {
  return part.client ? drop_steps(scenario, *part.client, part.place, 1)
                     : drop_fault(scenario, part.place);
}

/// Tries to drop any two parts at once, if there are few: what one begins, the other may end.
void pairs(Search& search) {
  const std::vector<Part> parts = parts_of(search.best());
  if (parts.size() > kPairedMost) return;
  for (std::size_t later = parts.size(); later-- > 1;) {
    for (std::size_t earlier = later; earlier-- > 0;) {
      const bool dropped = search.attempt([&](Scenario& candidate) {
        return drop(candidate, parts[later]) && drop(candidate, parts[earlier]);
      });
      if (dropped) return;  // the places have changed; single parts are tried again first
    }
  }
}

void size(Search& search) {
  const std::uint32_t now = search.best().pool.core.size;
  for (const std::uint32_t less : {1U, now / 2, now - 1}) {
    search.attempt([&](Scenario& candidate) { return set_size(candidate, less); });
  }
}

// ---- values -------------------------------------------------------------------------------------

/// A limit and a pause that a real clock can tell from what takes no time, and from each other: the
/// one is three times as long as the other and 200 ms longer (agreement/agreement.hpp).
constexpr Duration kVisibleLimit = std::chrono::milliseconds(300);
constexpr Duration kVisiblePause = std::chrono::milliseconds(1000);

bool set_default(Scenario& candidate, const PoolOption& option) {
  const std::int64_t value = option.get(PoolSpec{});
  if (!option.stands_alone || option.get(candidate.pool) == value) return false;
  option.set(candidate.pool, value);
  return true;
}

/// Makes a time limit of the pool longer if it is too short for a real clock.
bool set_visible(Scenario& candidate, const PoolOption& option) {
  const std::int64_t ms = to_ms(kVisibleLimit);
  const std::int64_t now = option.get(candidate.pool);
  if (option.unit != pool::Unit::milliseconds || now <= 0 || now >= ms) return false;
  // The default is shorter, too: this is a grace, not a limit
  if (option.get(PoolSpec{}) < ms) return false;
  option.set(candidate.pool, ms);
  return true;
}

void options(Search& search) {
  search.attempt([](Scenario& candidate) {
    bool changed = false;
    for (const PoolOption& option : pool_options()) {
      changed = set_default(candidate, option) || changed;
    }
    return changed;
  });
  for (const PoolOption& option : pool_options()) {
    search.attempt([&](Scenario& candidate) { return set_default(candidate, option); });
    search.attempt([&](Scenario& candidate) { return set_visible(candidate, option); });
  }
}

void seed(Search& search) {
  search.attempt_order([](Scenario& candidate) {
    if (candidate.seed == 0) return false;
    candidate.seed = candidate.pool.core.seed = 0;
    return true;
  });
}

bool use_pool_limit(Step& step) {
  auto* limit = limit_of(step);
  if (limit == nullptr || !*limit) return false;
  limit->reset();
  return true;
}

/// The time that a step gives itself; null: it has none, or uses the pool's limit.
Duration* span_of(Step& step) {
  if (auto* pause = std::get_if<Pause>(&step)) return &pause->span;
  auto* limit = limit_of(step);
  return limit != nullptr && *limit ? &**limit : nullptr;
}

Duration visible_span(const Step& step) {
  return std::holds_alternative<Pause>(step) ? kVisiblePause : kVisibleLimit;
}

/// Sets one member of a step to a value, if the step is of that kind.
template <class Kind>
bool change(Step& step, auto part, const auto& value) {
  auto* one = std::get_if<Kind>(&step);
  if (one == nullptr || std::invoke(part, *one) == value) return false;
  std::invoke(part, *one) = value;
  return true;
}

bool no_pause(Step& step) {
  return change<Pause>(step, &Pause::span, Duration::zero());
}

/// Sets the step's time to one that a real clock can see: then it may fail on real processes, too.
bool be_visible(Step& step) {
  Duration* span = span_of(step);
  const bool none = std::holds_alternative<Pause>(step) && span != nullptr && *span <= Duration{};
  if (span == nullptr || none || *span == visible_span(step)) return false;
  *span = visible_span(step);
  return true;
}

/// Shortens the step's time, unless it is the one that a real clock can see.
template <std::int64_t ms>
bool shorten(Step& step) {
  constexpr Duration kTo = std::chrono::milliseconds(ms);
  Duration* span = span_of(step);
  if (span == nullptr || *span <= kTo || *span == visible_span(step)) return false;
  *span = kTo;
  return true;
}

/// Changes what is to be called, in a call or in an execution.
bool change_call(Step& step, auto change) {
  if (auto* call = std::get_if<Call>(&step)) return change(*call);
  auto* execute = std::get_if<Execute>(&step);
  return execute != nullptr && change(*execute);
}

template <std::uint32_t bytes>
bool less_pad(Step& step) {
  return change_call(step, [](auto& call) {
    if (call.pad_bytes <= bytes) return false;
    call.pad_bytes = bytes;
    return true;
  });
}

bool plain_command(Step& step) {
  return change_call(step, [](auto& call) {
    if (call.command == "echo" && call.args->empty()) return false;
    call.command = "echo";
    call.args = no_args();
    return true;
  });
}

bool no_session(Step& step) {
  auto* session = session_of(step);
  if (session == nullptr || session->name.empty()) return false;
  *session = {};
  return true;
}

bool plain_session(Step& step) {
  auto* session = session_of(step);
  if (session == nullptr) return false;
  const SessionSpec plain{session->name};
  const bool is_plain =
      session->affinity == plain.affinity && session->when_busy == plain.when_busy;
  *session = plain;
  return !is_plain;
}

bool no_retry(Step& step) {
  return change<Execute>(step, &Execute::retry, pool::Retry::never);
}

bool one_limit(Step& step) {
  return change<Execute>(step, &Execute::try_timeout, std::optional<Duration>());
}

bool plain_signal(Step& step) {
  return change<SignalWorker>(step, &SignalWorker::signal, SignalWorker{}.signal);
}

template <auto coordinate>
bool first_worker(Step& step) {
  const auto part = [](SignalWorker & signal) -> auto& {
    return signal.worker.*coordinate;
  };
  return change<SignalWorker>(step, part, 0U);
}

bool await_end(Step& step) {
  return change<AwaitClient>(step, &AwaitClient::ended, true);
}

bool no_exception(Step& step) {
  if (!std::holds_alternative<Throw>(step)) return false;
  step = Checkin{};
  return true;
}

using StepEdit = bool (*)(Step&);
constexpr std::array<StepEdit, 21> kStepEdits{no_session,
                                              plain_session,
                                              no_retry,
                                              one_limit,
                                              plain_command,
                                              less_pad<0>,
                                              less_pad<100>,
                                              no_exception,
                                              use_pool_limit,
                                              no_pause,
                                              be_visible,
                                              shorten<0>,
                                              shorten<1>,
                                              shorten<10>,
                                              shorten<100>,
                                              shorten<1000>,
                                              plain_signal,
                                              first_worker<&WorkerId::generation>,
                                              first_worker<&WorkerId::slot>,
                                              await_end,
                                              less_pad<65'536>};

/// Tries each edit on all steps at once and, if that fails, on each single step.
void step_values(Search& search) {
  for (const StepEdit edit : kStepEdits) {
    const bool all = search.attempt([&](Scenario& candidate) {
      bool changed = false;
      for_each_step(candidate, [&](Step& step) { changed = edit(step) || changed; });
      return changed;
    });
    if (all) continue;
    for (std::size_t i = 0; i < search.best().clients.size(); ++i) {
      each_from_last(search, search.best().clients[i].steps.size(),
                     [&](Scenario& candidate, std::size_t step) {
                       return edit(candidate.clients[i].steps[step]);
                     });
    }
  }
}

bool default_params(faults::PlannedFault& fault) {
  const auto before = std::pair(fault.numbers, fault.texts);
  for (const faults::Param& param : fault.fault->params) {
    if (param.is_text) fault.texts.find(param.name)->second = param.default_text;
    if (!param.is_text) fault.numbers.find(param.name)->second = param.default_number;
  }
  return before != std::pair(fault.numbers, fault.texts);
}

template <auto member>
bool zero_in_aim(faults::PlannedFault& fault) {
  auto& coordinate = fault.at.*member;
  if (!coordinate || *coordinate == 0) return false;
  coordinate = 0;
  return true;
}

/// Aims a fault at one generation: aimed at every generation, it never ends.
bool one_generation(faults::PlannedFault& fault) {
  if (!fault.at.client.empty() || fault.at.generation) return false;
  fault.at.generation = 0;
  return true;
}

bool first_call(faults::PlannedFault& fault) {
  if (fault.at.call <= 1) return false;
  fault.at.call = 1;
  return true;
}

using FaultEdit = bool (*)(faults::PlannedFault&);
constexpr std::array<FaultEdit, 6> kFaultEdits{
    default_params,
    one_generation,
    zero_in_aim<&faults::Aim::generation>,
    zero_in_aim<&faults::Aim::slot>,
    zero_in_aim<&faults::Aim::request>,
    first_call,
};

void fault_values(Search& search) {
  for (const FaultEdit edit : kFaultEdits) {
    each_from_last(
        search, search.best().faults.size(),
        [&](Scenario& candidate, std::size_t fault) { return edit(candidate.faults[fault]); });
  }
}

// ---- the schedule -------------------------------------------------------------------------------

/// Cuts off the end of the schedule, and puts pieces of it, the largest first, into natural order.
void schedule(Search& search) {
  if (!search.best().schedule) return;
  for (std::size_t chunk = search.best().schedule->size(); chunk > 0; chunk /= 2) {
    while (search.attempt_order([&](Scenario& candidate) {
      auto& choices = *candidate.schedule;
      if (choices.size() < chunk) return false;
      choices.resize(choices.size() - chunk);
      return true;
    })) {
    }
    for (std::size_t piece = (search.best().schedule->size() + chunk - 1) / chunk; piece-- > 0;) {
      search.attempt_order([&](Scenario& candidate) {
        auto& choices = *candidate.schedule;
        const std::size_t end = std::min(choices.size(), (piece + 1) * chunk);
        const auto part = std::span(choices).subspan(piece * chunk, end - piece * chunk);
        if (std::ranges::count(part, 0U) == std::ssize(part)) return false;
        std::ranges::fill(part, 0U);
        return true;
      });
    }
  }
}

using Pass = void (*)(Search&);
constexpr std::array<Pass, 14> kPasses{natural_order, expectations, clients,  faults,  counts,
                                       steps,         at_once,      size,     options, step_values,
                                       fault_values,  seed,         schedule, pairs};

}  // namespace

Shrunk shrink(Scenario failing, const std::function<bool(Scenario&)>& fails, ShrinkBudget budget) {
  Search search(std::move(failing), fails, budget);
  std::size_t before = 0;
  do {
    before = search.steps_taken();
    for (const Pass pass : kPasses) pass(search);
  } while (search.steps_taken() > before && !search.over());
  return search.take();
}

std::size_t size_of(const Scenario& scenario) {
  std::size_t size = scenario.faults.size();
  for (const Client& client : scenario.clients) size += client.steps.size();
  return size;
}

}  // namespace poolproof::scenario

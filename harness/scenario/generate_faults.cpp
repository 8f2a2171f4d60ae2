#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "fake_workers/needs.hpp"
#include "harness/base/assert.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/scenario/generate_parts.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::scenario {
namespace {

using faults::Aim;
using faults::Fault;
using faults::Moment;
using faults::Param;
using faults::PlannedFault;

constexpr std::size_t kKindsMax = 4;
constexpr std::array<Weighted<std::uint32_t>, 6> kFaultCounts{
    {{0, 3}, {1, 6}, {2, 4}, {3, 2}, {4, 1}, {5, 1}}};
/// How many faults a storm with features has: nearly always some, so that they meet the features.
constexpr std::array<Weighted<std::uint32_t>, 4> kFeaturedCounts{{{1, 6}, {0, 1}, {2, 4}, {3, 2}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kGenerations{{{0, 5}, {1, 2}, {2, 1}}};
constexpr std::array<Weighted<std::uint64_t>, 4> kRequests{{{1, 4}, {0, 3}, {2, 2}, {3, 1}}};

/// A fault that goes with a feature, mostly aimed at one and the same incarnation. Each row is made
/// for its fault alone: a new fault need not be in any of them.
struct FeatureFault {
  Feature feature;
  std::uint32_t one_in;  ///< how often scenarios with the feature have the fault: one in so many
  std::string_view fault;
  std::optional<std::uint64_t> request = {};  ///< the request at which it strikes; none: as drawn
  std::int64_t delay_min_ms = 0;              ///< a shorter delay is made this long
  enum class Where : std::uint8_t { there, second_slot, everywhere } where = Where::there;
  std::string_view then = {};  ///< the value of the parameter `then`; none: as drawn
};
using Where = FeatureFault::Where;
constexpr std::array kFeatureFaults{
    FeatureFault{Feature::deaf_workers, 1, "term_ignored"},
    // The worker does not read its next request before it has written this text.
    FeatureFault{Feature::deaf_workers, 2, "text_while_idle", 0, 100},
    FeatureFault{Feature::deaf_workers, 4, "reply_slow"},
    FeatureFault{Feature::deaf_workers, 8, "import_slow", {}, 100},
    FeatureFault{Feature::deaf_workers, 3, "length_in_characters"},
    FeatureFault{Feature::open_breaker, 2, "exit_at_start", {}, 0, Where::second_slot},
    FeatureFault{Feature::open_breaker, 3, "reply_unframed", 0, 0, Where::second_slot},
    FeatureFault{Feature::open_breaker, 4, "killed_at_start", {}, 0, Where::second_slot},
    FeatureFault{Feature::open_breaker, 4, "start_fails", {}, 0, Where::second_slot},
    FeatureFault{Feature::open_breaker, 4, "length_in_characters"},
    FeatureFault{Feature::slow_starts, 3, "import_slow"},
    FeatureFault{Feature::slow_starts, 3, "reply_slow", 0},
    FeatureFault{Feature::slow_starts, 5, "reply_dropped", 0},
    FeatureFault{Feature::slow_starts, 5, "input_read_as_lines"},
    FeatureFault{Feature::tight_start_budgets, 3, "reply_slow", 0, 0, Where::everywhere},
    FeatureFault{Feature::tight_start_budgets, 3, "start_fails"},
    FeatureFault{Feature::signals, 3, "import_slow"},
    FeatureFault{Feature::signals, 3, "reply_slow", 0},
    FeatureFault{Feature::signals, 2, "reply_slow", 0, 50, Where::second_slot},
    FeatureFault{Feature::idle_moments, 2, "reply_trickled"},
    FeatureFault{Feature::farewells, 4, "reply_trickled", 1},
    FeatureFault{Feature::tight_deadlines, 1, "exit_at_start"},
    FeatureFault{Feature::tight_deadlines, 4, "killed_at_start"},
    FeatureFault{Feature::bare_bytes, 2, "input_read_as_lines"},
    FeatureFault{Feature::bare_bytes, 2, "import_slow", {}, 100},
    FeatureFault{Feature::large_frames, 2, "text_while_idle", 0, 100},
    FeatureFault{Feature::large_frames, 6, "reading_stopped", 1, 0, Where::there, "answer"},
};

/// The moment whose faults a feature is likely to meet.
struct FeatureMoment {
  Feature feature;
  Moment moment;
};
constexpr std::array kFeatureMoments{
    FeatureMoment{Feature::tight_start_budgets, Moment::start},
    FeatureMoment{Feature::slow_starts, Moment::shutdown},
    FeatureMoment{Feature::signals, Moment::shutdown},
    FeatureMoment{Feature::farewells, Moment::shutdown},
    FeatureMoment{Feature::idle_moments, Moment::idle},
    FeatureMoment{Feature::bare_bytes, Moment::start},
};

/// If the breaker half-opens more often than this, faults strike at one generation only: later
/// starts succeed.
constexpr Duration kRarelyProbed = 100ms;
/// With smaller pieces, a large reply would be tens of thousands of events.
constexpr std::int64_t kChunkOfLargeMin = 1000;
constexpr std::uint32_t kLargePad = 1000;
constexpr std::int64_t kManyFrames = 100;

using namespace std::string_view_literals;
/// Texts that a fault may write: a line, text without an end, whole frames with a length of four,
/// two and one bytes, white space, a log line.
constexpr std::array kTexts{"tick\n"sv, "x"sv,      "\0\0\0\2{}"sv,   "\0\2{}"sv,
                            "\2{}"sv,   "\n\n\n"sv, "{\"id\": 1}\n"sv};

const std::vector<const Fault*>& faults_of(Moment moment) {
  static const auto all = [] {
    std::array<std::vector<const Fault*>, faults::kMoments> found;
    for (const Fault& fault : faults::catalogue()) {
      found[static_cast<std::size_t>(fault.moment)].push_back(&fault);
    }
    return found;
  }();
  return all[static_cast<std::size_t>(moment)];
}

/// Faults that cannot be shown on the usual wire, but on this one. Few scenarios speak such a wire:
/// there these faults are made likely.
const std::vector<const Fault*>& faults_of(wire::Wire wire) {
  static const auto all = [] {
    std::vector<std::vector<const Fault*>> found(wire::wires().size());
    for (const Fault& fault : faults::catalogue()) {
      if (faults::can_strike_on(fault, wire::Framing{}.wire)) continue;
      for (std::size_t i = 0; i < found.size(); ++i) {
        if (faults::can_strike_on(fault, static_cast<wire::Wire>(i))) found[i].push_back(&fault);
      }
    }
    return found;
  }();
  return all[static_cast<std::size_t>(wire)];
}

/// Draws one plan.
class FaultGenerator {
 public:
  FaultGenerator(Choices& choices, Features features, const Scenario& scenario)
      : choices_(choices), features_(features), scenario_(scenario) {
    for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
      for (const Step& step : scenario.clients[i].steps) {
        const auto* call = std::get_if<Call>(&step);
        const auto* execute = std::get_if<Execute>(&step);
        if (call == nullptr && execute == nullptr) continue;
        if (calls_[i] == 0) callers_[callers_count_++] = i;
        calls_[i] += scenario.clients[i].repeat;
        large_ = large_ || (call ? call->pad_bytes : execute->pad_bytes) >= kLargePad;
      }
    }
  }

  faults::Plan plan() {
    if (features_.any()) {
      choose_place();
      add_feature_faults();
    }
    add_swarm();
    widen_chunks();
    return std::move(plan_);
  }

 private:
  void choose_place() {
    WorkerId place;
    place.slot = pick_index(choices_, scenario_.pool.core.size);
    place.generation = pick(choices_, kGenerations);
    // Faults at the feature's place must leave the second slot free: there the starts fail.
    if (features_.has(Feature::open_breaker) && place.slot == 1) place.slot = 0;
    place_ = place;
  }

  void add_feature_faults() {
    for (const FeatureFault& one : kFeatureFaults) {
      if (!features_.has(one.feature) || !choices_.one_in(one.one_in)) continue;
      PlannedFault planned;
      planned.fault = faults::find(one.fault);
      POOLPROOF_ASSERT(planned.fault != nullptr);
      if (!faults::can_strike_on(*planned.fault, scenario_.pool.framing.wire)) continue;
      planned.at = at_worker(*planned.fault);
      if (one.where == Where::everywhere) planned.at.slot.reset();
      if (one.where == Where::second_slot) {
        planned.at.slot = 1 % scenario_.pool.core.size;
        if (!choices_.one_in(4)) planned.at.generation = 0;
      }
      if (one.request) planned.at.request = one.request;
      set_params(planned);
      const auto delay = planned.numbers.find("delay_ms");
      if (!one.then.empty()) planned.texts["then"] = one.then;
      if (delay != planned.numbers.end()) delay->second = std::max(delay->second, one.delay_min_ms);
      add(std::move(planned));
    }
  }

  /// Adds faults by swarm testing: a few kinds of the whole catalogue are allowed, and some of them
  /// are sixty times as likely as others. So one storm has a single kind of fault, another one an
  /// unlikely pair, and they do not all have the same mixture.
  void add_swarm() {
    const std::uint32_t count =
        features_.any() ? pick(choices_, kFeaturedCounts) : pick(choices_, kFaultCounts);
    if (count == 0) return;
    const std::uint32_t kinds = 1 + choices_.below(kKindsMax);
    std::array<const Fault*, kKindsMax> allowed{};
    std::array<std::uint32_t, kKindsMax> weights{};
    for (std::uint32_t i = 0; i < kinds; ++i) {
      allowed[i] = &kind();
      weights[i] = 1U << (2 * choices_.below(4));
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t which = choices_.weighted(weights);
      add(fault(*allowed[which]));
    }
  }

  /// Makes the pieces of replies larger where a fault puts many frames before a reply.
  void widen_chunks() {
    const bool many = std::ranges::any_of(plan_, [](const PlannedFault& planned) {
      const auto frames = planned.numbers.find("frames");
      return frames != planned.numbers.end() && frames->second >= kManyFrames;
    });
    if (!many) return;
    for (PlannedFault& planned : plan_) {
      const auto chunk = planned.numbers.find("chunk_bytes");
      if (chunk != planned.numbers.end()) chunk->second = std::max(chunk->second, kChunkOfLargeMin);
    }
  }

  void add(PlannedFault fault) {
    if (plan_.empty()) plan_.reserve(8);
    fault.id = std::to_string(plan_.size());
    fault.id.insert(fault.id.begin(), 'f');
    plan_.push_back(std::move(fault));
  }

  const Fault& kind() {
    const auto& of_this_wire = faults_of(scenario_.pool.framing.wire);
    if (!of_this_wire.empty() && choices_.one_in(4)) {
      return *of_this_wire[choices_.below(static_cast<std::uint32_t>(of_this_wire.size()))];
    }
    for (const FeatureMoment& row : kFeatureMoments) {
      if (!features_.has(row.feature) || !choices_.one_in(2)) continue;
      const auto& faults = faults_of(row.moment);
      return on_this_wire(*faults[choices_.below(static_cast<std::uint32_t>(faults.size()))]);
    }
    const auto catalogue = faults::catalogue();
    return on_this_wire(catalogue[choices_.below(static_cast<std::uint32_t>(catalogue.size()))]);
  }

  /// The fault drawn or, if it cannot be shown on this wire, the next one in the catalogue that
  /// can.
  [[nodiscard]] const Fault& on_this_wire(const Fault& drawn) const {
    const auto catalogue = faults::catalogue();
    auto place = static_cast<std::size_t>(&drawn - catalogue.data());
    while (!faults::can_strike_on(catalogue[place], scenario_.pool.framing.wire))
      place = (place + 1) % catalogue.size();
    return catalogue[place];
  }

  PlannedFault fault(const Fault& kind) {
    PlannedFault planned;
    planned.fault = &kind;
    const bool of_call = callers_count_ > 0 && faults::aimed_by_call(kind);
    const bool at_its_call =
        of_call && choices_.one_in(features_.has(Feature::deaf_workers) ? 4 : 2);
    planned.at = at_its_call ? at_call() : at_worker(kind);
    set_params(planned);
    return planned;
  }

  void set_params(PlannedFault& planned) {
    for (const Param& param : planned.fault->params) {
      if (param.is_text) {
        planned.texts.emplace(param.name, text(param));
      } else {
        planned.numbers.emplace(param.name, number(param));
      }
    }
  }

  Aim at_call() {
    const std::size_t caller = callers_[pick_index(choices_, callers_count_)];
    Aim at;
    at.client = pick_single(choices_, scenario_.clients[caller]);
    at.call = 1 + pick_index(choices_, calls_[caller], 32);
    return at;
  }

  /// An aim at a worker, nearly always at one generation, so that the faults come to an end.
  Aim at_worker(const Fault& fault) {
    Aim at;
    const std::uint32_t slot = pick_index(choices_, scenario_.pool.core.size);
    if (!choices_.one_in(8)) at.slot = slot;
    const std::uint32_t generation = pick(choices_, kGenerations);
    if (!choices_.one_in(32) || probes_often()) at.generation = generation;
    if (place_ && !choices_.one_in(4)) {
      at.slot = place_->slot;
      at.generation = place_->generation;
    }
    if (faults::aimed_by_incarnation(fault)) return at;
    std::uint64_t request = pick(choices_, kRequests);
    if (features_.has(Feature::deaf_workers) && choices_.one_in(2)) request = 1;
    if (!choices_.one_in(8)) at.request = request;
    return at;
  }

  std::int64_t number(const Param& param) {
    std::int64_t value = 0;
    if (param.is_pause) {
      value = pick(choices_, kPaletteMs);
      if (param.min == 0 && choices_.one_in(3)) value = 0;
    } else {
      value = pick(choices_, param.palette);
    }
    if (param.name == "chunk_bytes" && large_) value = std::max(value, kChunkOfLargeMin);
    return std::clamp(value, param.min, param.max);
  }

  /// Whether the pool tries starts very often: a worker that never starts would then be tried tens
  /// of thousands of times while somebody waits.
  [[nodiscard]] bool probes_often() const {
    const pool::Config& config = scenario_.pool.core;
    return config.breaker_failures > 0 && config.breaker_open < kRarelyProbed;
  }

  std::string_view text(const Param& param) {
    if (param.words.empty()) return pick(choices_, kTexts);
    return param.words[pick_index(choices_, static_cast<std::uint32_t>(param.words.size()))];
  }

  static constexpr std::size_t kClientsMax = 8;
  Choices& choices_;
  Features features_;
  const Scenario& scenario_;
  std::optional<WorkerId> place_;  ///< the incarnation at which the features' faults are aimed
  faults::Plan plan_;
  /// How many calls each client makes in all its repetitions
  std::array<std::uint32_t, kClientsMax> calls_{};
  std::array<std::size_t, kClientsMax> callers_{};  ///< the numbers of the clients that make calls
  std::uint32_t callers_count_ = 0;
  bool large_ = false;
};

}  // namespace

faults::Plan generate_faults(Choices& choices, Features features, const Scenario& scenario) {
  return FaultGenerator(choices, features, scenario).plan();
}

}  // namespace poolproof::scenario

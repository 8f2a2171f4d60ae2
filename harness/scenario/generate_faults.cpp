#include <algorithm>

#include "harness/base/assert.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/scenario/generate_parts.hpp"

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
constexpr std::array<Weighted<std::uint32_t>, 3> kGenerations{{{0, 5}, {1, 2}, {2, 1}}};
constexpr std::array<Weighted<std::uint64_t>, 3> kRequests{{{1, 3}, {0, 2}, {2, 1}}};

/// The values of a parameter, by its name; the first is the simplest. What is out of a fault's
/// bounds is brought to them.
struct NumberPalette {
  std::string_view param;
  std::array<std::int64_t, 4> values;
};
constexpr std::array kNumbers{
    NumberPalette{"code", {1, 0, 3, 255}},
    NumberPalette{"signal", {9, 11, 15, 6}},
    NumberPalette{"keep_bytes", {3, 0, 5, 50}},
    NumberPalette{"extra_bytes", {5, 1, 100, 1'000'000}},
    NumberPalette{"missing_bytes", {5, 1, 50, 1'000'000}},
    NumberPalette{"depth", {100, 1, 500, 2000}},
    NumberPalette{"offset", {1, -1, 1000, -1000}},
    NumberPalette{"gap_ms", {1, 0, 10, 50}},
    NumberPalette{"chunk_bytes", {50, 1, 7, 1000}},
    NumberPalette{"text_bytes", {1000, 1, 70'000, 200'000}},
    NumberPalette{"lifetime_ms", {60'000, 10, 100, 1000}},
};
/// Smaller pieces of a large reply would be tens of thousands of events.
constexpr std::int64_t kChunkOfLargeMin = 1000;
constexpr std::uint32_t kLargePad = 1000;

using std::string_view_literals::operator""sv;
/// Text, text without an end, a whole frame of four, two or one bytes of length, white space.
constexpr std::array kTexts{"tick\n"sv, "x"sv,      "\0\0\0\2{}"sv,   "\0\2{}"sv,
                            "\2{}"sv,   "\n\n\n"sv, "{\"id\": 1}\n"sv};

bool by_incarnation(const Fault& fault) {
  return fault.moment == Moment::start || fault.moment == Moment::shutdown;
}

/// Draws one plan.
class Planner {
 public:
  Planner(Choices& choices, const Scenario& scenario) : choices_(choices), scenario_(scenario) {
    for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
      for (const Step& step : scenario.clients[i].steps) {
        const auto* call = std::get_if<Call>(&step);
        if (call == nullptr) continue;
        if (calls_[i] == 0) callers_[callers_count_++] = i;
        calls_[i] += scenario.clients[i].repeat;
        large_ = large_ || call->pad_bytes >= kLargePad;
      }
    }
  }

  faults::Plan plan();

 private:
  PlannedFault fault(const Fault& kind);
  Aim at_call();
  Aim at_worker(const Fault& fault);
  std::int64_t number(const Param& param);

  static constexpr std::size_t kClientsMax = 8;
  Choices& choices_;
  const Scenario& scenario_;
  std::array<std::uint32_t, kClientsMax> calls_{};  ///< by client, over its repetitions
  std::array<std::size_t, kClientsMax> callers_{};  ///< the clients that call
  std::uint32_t callers_count_ = 0;
  bool large_ = false;
};

/// Swarm: of the whole catalogue a few kinds are allowed, some of them sixty times as likely as
/// others. So a storm is now of one kind of fault, now of an unlikely pair, and not the same
/// lukewarm mixture every time.
faults::Plan Planner::plan() {
  faults::Plan plan;
  const std::uint32_t count = pick(choices_, kFaultCounts);
  if (count == 0) return plan;
  const auto catalogue = faults::catalogue();
  const std::uint32_t kinds = 1 + choices_.below(kKindsMax);
  std::array<const Fault*, kKindsMax> allowed{};
  std::array<std::uint32_t, kKindsMax> weights{};
  for (std::uint32_t i = 0; i < kinds; ++i) {
    allowed[i] = &catalogue[choices_.below(static_cast<std::uint32_t>(catalogue.size()))];
    weights[i] = 1U << (2 * choices_.below(4));
  }
  plan.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t kind = choices_.weighted(weights);
    plan.push_back(fault(*allowed[kind]));
    plan.back().id = "f" + std::to_string(i);
  }
  return plan;
}

PlannedFault Planner::fault(const Fault& kind) {
  PlannedFault planned;
  planned.fault = &kind;
  // reading_stopped strikes before the request is read: nobody knows whose it would have been.
  const bool of_call =
      callers_count_ > 0 && !by_incarnation(kind) && kind.name != "reading_stopped";
  const bool at_its_call = of_call && !choices_.one_in(2);
  planned.at = at_its_call ? at_call() : at_worker(kind);
  for (const Param& param : kind.params) {
    if (param.is_text) {
      planned.texts.emplace(param.name, pick(choices_, kTexts));
    } else {
      planned.numbers.emplace(param.name, number(param));
    }
  }
  return planned;
}

Aim Planner::at_call() {
  const std::size_t caller = callers_[pick_index(choices_, callers_count_)];
  Aim at;
  at.client = pick_single(choices_, scenario_.clients[caller]);
  at.call = 1 + pick_index(choices_, calls_[caller], 32);
  return at;
}

/// Nearly always at one generation, so that the faults end.
Aim Planner::at_worker(const Fault& fault) {
  Aim at;
  const std::uint32_t slot = pick_index(choices_, scenario_.pool.core.size);
  if (!choices_.one_in(8)) at.slot = slot;
  const std::uint32_t generation = pick(choices_, kGenerations);
  if (!choices_.one_in(32)) at.generation = generation;
  if (by_incarnation(fault)) return at;
  const std::uint64_t request = pick(choices_, kRequests);
  if (!choices_.one_in(8)) at.request = request;
  return at;
}

std::int64_t Planner::number(const Param& param) {
  std::int64_t value = 0;
  if (param.name == "delay_ms") {
    value = pick(choices_, kPaletteMs);
  } else {
    const auto* const palette =
        std::find_if(kNumbers.begin(), kNumbers.end(),
                     [&](const NumberPalette& one) { return one.param == param.name; });
    POOLPROOF_ASSERT(palette != kNumbers.end());
    value = pick(choices_, palette->values);
  }
  if (param.name == "chunk_bytes" && large_) value = std::max(value, kChunkOfLargeMin);
  return std::clamp(value, param.min, param.max);
}

/// Those by which a frame's content is another than the sound worker's, or is cut or begun in
/// another place (raw text is a header, to who reads it), or whose harm an id in it prevents.
constexpr std::array kTouching{
    "banner"sv,           "input_read_as_lines"sv,
    "reply_unframed"sv,   "text_before_reply"sv,
    "text_after_reply"sv, "text_while_idle"sv,
    "length_too_long"sv,  "length_too_short"sv,
    "length_huge"sv,      "length_little_endian"sv,
    "json_invalid"sv,     "utf8_invalid"sv,
    "nan_result"sv,       "json_deep"sv,
    "id_wrong"sv,         "id_text"sv,
    "success_missing"sv,  "reply_twice"sv,
    "error_reply"sv,
};

}  // namespace

faults::Plan generate_faults(Choices& choices, const Scenario& scenario) {
  return Planner(choices, scenario).plan();
}

bool touches_payload(const Fault& fault) {
  return std::find(kTouching.begin(), kTouching.end(), fault.name) != kTouching.end();
}

}  // namespace poolproof::scenario

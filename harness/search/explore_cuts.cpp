#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "harness/search/explore_space.hpp"

/// Every cut of every frame between pool and worker, with every ending.
namespace poolproof::search {
namespace {

using faults::JournalRecord;
using scenario::Scenario;

/// What worker 0.0 reads: its ping, one call of each client, the request to shut down.
constexpr const char* kScenario = R"({
  "schema_version": 1, "name": "cut", "why": "a frame that ends too early costs its own call only",
  "pool": {"size": 1, "startup_budget_ms": 1000, "call_timeout_ms": 1000,
           "checkout_timeout_ms": 5000},
  "workers": [{"kind": "fake"}],
  "clients": [
    {"name": "a", "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "b", "after": "a", "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]},
    {"name": "c", "after": "b", "steps": [
      {"checkout": {}}, {"call": {"command": "echo"}}, {"checkin": {}}]}],
  "faults": [],
  "expect": {"any_success": true}
})";

struct Frame {
  const char* name;
  bool reply;  ///< the worker writes this frame; if false, it reads it
  std::uint64_t request;
};
constexpr std::uint64_t kFarewell = 4;
constexpr std::array kFrames{
    Frame{"handshake: reply", true, 0},
    Frame{"handshake: request", false, 0},
    Frame{"call: reply", true, 1},
    Frame{"call: request", false, 1},
    Frame{"shutdown: reply", true, kFarewell},
    Frame{"shutdown: request", false, kFarewell},
};

struct EndingRow {
  std::string_view then;
  std::int64_t code;
};
constexpr std::array kEndings{EndingRow{"exit", 0}, EndingRow{"exit", 1}, EndingRow{"kill", 0},
                              EndingRow{"hang", 0}, EndingRow{"close", 0}};
/// In how many orders each cut is run: the plainest one and two drawn ones.
constexpr std::uint64_t kOrders = 3;

constexpr std::string_view kNothing = "nothing";
constexpr std::string_view kWhole = "the whole frame";

/// The outcomes of one run, as its clients saw them.
using Outcomes = std::vector<std::tuple<Outcome, Phase, StartCause, bool>>;

class Cuts final : public ExploredSpace {
 public:
  Cuts() : ExploredSpace(part_names(kFrames)), scenario_(own_scenario(kScenario)) {}

  const Scenario& at(const Walk& walk) override {
    const Frame& frame = kFrames[walk.part];
    const EndingRow& ending = ending_of(walk);
    faults::PlannedFault planned;
    planned.id = "f0";
    planned.fault = &faults::cutting(frame.reply ? faults::Moment::reply : faults::Moment::reading);
    planned.at = {{}, 0, 0, 0, frame.request};
    planned.numbers = {{"keep_bytes", static_cast<std::int64_t>(keep_of(walk))},
                       {"code", ending.code}};
    planned.texts = {{"then", std::string(ending.then)}};
    scenario_.faults.assign(1, std::move(planned));
    scenario_.seed = order_of(walk);
    scenario_.schedule.reset();
    if (order_of(walk) == 0) scenario_.schedule.emplace();
    return scenario_;
  }

  void judge(const Walk& walk, const CaseRunner& runner,
             std::vector<oracle::Finding>& findings) override {
    const std::string_view kind = kind_of(walk, runner);
    judge_service(runner, kind, findings);
    // A worker that ends between two frames may disturb whichever request comes next, so the
    // outcomes of different orders may differ.
    const bool within = kind != kNothing && kind != kWhole;
    if (order_of(walk) != 0 && !within) return;
    const Frame& frame = kFrames[walk.part];
    Outcomes outcomes = outcomes_of(runner);
    const auto [first, fresh] = first_outcomes_.try_emplace(
        {walk.part, ending_index(walk), kind}, std::pair{keep_of(walk), std::move(outcomes)});
    if (fresh || first->second.second == outcomes_of(runner)) return;
    findings.push_back(
        {"cut",
         fmt::format(
             "{} cut after {} bytes ({}), then {}: its clients fared otherwise than when it "
             "was cut after {} bytes",
             frame.name, keep_of(walk), kind, ending_of(walk).then, first->second.first),
         Time{}});
  }

  void go_on(Walk& walk, const CaseRunner* runner) override {
    ++walk.tallies[walk.part].different;
    const bool last_of_length = (walk.place + 1) % (kEndings.size() * kOrders) == 0;
    const bool done = runner != nullptr && last_of_length && is_whole(walk, *runner);
    ++walk.place;
    if (done) walk.next_part();
  }

 private:
  static std::uint64_t order_of(const Walk& walk) { return walk.place % kOrders; }
  static std::size_t ending_index(const Walk& walk) {
    return walk.place / kOrders % kEndings.size();
  }
  static const EndingRow& ending_of(const Walk& walk) { return kEndings[ending_index(walk)]; }
  static std::uint64_t keep_of(const Walk& walk) { return walk.place / kOrders / kEndings.size(); }

  /// Whether nothing of the frame was cut off: the worker wrote all of it, or was not stopped while
  /// it read it.
  static bool is_whole(const Walk& walk, const CaseRunner& runner) {
    const Frame& frame = kFrames[walk.part];
    const auto kind = frame.reply ? JournalRecord::Kind::wrote : JournalRecord::Kind::receipt;
    const auto& journal = runner.trace().workers;
    const bool seen = std::ranges::any_of(journal, [&](const auto& record) {
      return record.worker == WorkerId{0, 0} && record.record.kind == kind &&
             record.record.request == frame.request;
    });
    return seen == frame.reply;
  }

  [[nodiscard]] std::string_view kind_of(const Walk& walk, const CaseRunner& runner) const {
    if (is_whole(walk, runner)) return kWhole;
    if (keep_of(walk) == 0) return kNothing;
    return keep_of(walk) < scenario_.pool.framing.prefix_bytes ? "within the header"
                                                               : "within the payload";
  }

  static Outcomes outcomes_of(const CaseRunner& runner) {
    Outcomes outcomes;
    for (const trace::ClientStep& step : runner.trace().clients) {
      outcomes.emplace_back(step.outcome, step.phase, step.cause, step.skipped);
    }
    return outcomes;
  }

  /// The client after the cut is served. If the cut left the whole frame, the worker may have been
  /// lost unnoticed; then only the client after that one must be served.
  static void judge_service(const CaseRunner& runner, std::string_view kind,
                            std::vector<oracle::Finding>& findings) {
    const auto* const step = first_unserved(runner.trace(), [kind](const auto& one) {
      return one.client == "c" || (one.client == "b" && kind != kWhole);
    });
    if (step == nullptr) return;
    findings.push_back({"cut",
                        fmt::format("client {} was not served after the cut: {} {}", step->client,
                                    name(step->kind), name(step->outcome)),
                        step->ended});
  }

  Scenario scenario_;
  std::map<std::tuple<std::uint32_t, std::size_t, std::string_view>,
           std::pair<std::uint64_t, Outcomes>>
      first_outcomes_;
};

}  // namespace

std::unique_ptr<ExploredSpace> explored_cuts() {
  return std::make_unique<Cuts>();
}

}  // namespace poolproof::search

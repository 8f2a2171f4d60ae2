#include <algorithm>
#include <array>
#include <string>

#include "harness/base/assert.hpp"
#include "harness/run/explore_space.hpp"

/// Every order of a short race: depth-first over the choices of the schedule, first those that
/// differ from the plainest in no choice, then in one, in two... (delay bounding: Emmi, Qadeer,
/// Rakamaric, "Delay-bounded scheduling", 2011). Without that bound the limit of runs would be
/// spent on the orders of a run's last moves alone. Reads are not cut: that is the business of the
/// cuts.
namespace poolproof::run {
namespace {

using scenario::Scenario;

struct Race {
  const char* name;
  const char* clients;  ///< JSON
  const char* pool = R"("size": 1, "payload": "opaque")";
  const char* faults = "";
};

constexpr std::array kRaces{
    Race{"two clients, one worker", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"call_bytes": {"text": "x"}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"call_bytes": {"text": "x"}},
        {"checkin": {}}]})"},
    Race{"cancel meets grant", R"(
      {"name": "a", "steps": [{"checkout": {}},
        {"await": {"client": "b", "step": 0, "moment": "begun"}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "b", "step": 0, "moment": "begun"}},
        {"cancel": {"client": "b"}}]})"},
    Race{"cancel meets reply", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"call_bytes": {"text": "x"}}, {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "a", "step": 1, "moment": "begun"}},
        {"cancel": {"client": "a"}}]},
      {"name": "b", "after": "a", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
    Race{"check-in meets deadline", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"pause": {"span_ms": 100}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"await": {"client": "a", "step": 0, "moment": "ended"}},
        {"checkout": {"timeout_ms": 100}}, {"checkin": {}}]})"},
    Race{
        "reply meets deadline", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"call_bytes": {"text": "x", "timeout_ms": 50}},
        {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})",
        R"("size": 1, "payload": "opaque")",
        R"({"fault": "reply_slow", "at": {"slot": 0, "generation": 0, "request": 0}, "delay_ms": 50})"},
    Race{"death meets check-in", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "k", "steps": [{"await": {"client": "a", "step": 0, "moment": "ended"}},
        {"signal_worker": {"slot": 0, "generation": 0, "signal": "KILL"}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
    Race{"death meets call", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"call_bytes": {"text": "x"}}, {"checkin": {}}]},
      {"name": "k", "steps": [{"await": {"client": "a", "step": 1, "moment": "begun"}},
        {"signal_worker": {"slot": 0, "generation": 0, "signal": "KILL"}}]},
      {"name": "b", "after": "a", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
    Race{"start meets deadline", R"(
      {"name": "a", "steps": [{"checkout": {"timeout_ms": 1}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
    Race{"close meets start", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "a", "step": 0, "moment": "begun"}},
        {"close": {}}]})"},
    Race{"close meets check-in", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "a", "step": 0, "moment": "ended"}},
        {"close": {}}]})"},
    Race{"a handshake, a call", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}},
        {"checkin": {}}]})",
         R"("size": 1)"},
    Race{"death meets handshake", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "k", "steps": [
        {"await": {"worker": {"slot": 0, "generation": 0}, "moment": "started"}},
        {"signal_worker": {"slot": 0, "generation": 0, "signal": "KILL"}}]})",
         R"("size": 1)"},
};

constexpr std::uint64_t kOrdersMost = 20'000;

std::string json_of(const Race& race) {
  return std::string(
             R"({"schema_version": 1, "name": "race", "why": "whatever comes first, it ends well: )") +
         race.name + R"(", "pool": {)" + race.pool +
         R"(}, "workers": [{"kind": "fake"}], "clients": [)" + race.clients + R"(], "faults": [)" +
         race.faults + R"(], "expect": {"any_success": true}})";
}

/// walk.choices are what the next run begins with; walk.place is in how many choices it may differ
/// from the plainest.
class Orders final : public ExploredSpace {
 public:
  Orders() {
    for (const Race& race : kRaces) {
      parts_.emplace_back(race.name);
      races_.push_back(own_scenario(json_of(race).c_str()));
    }
  }

  [[nodiscard]] const std::vector<std::string>& parts() const override { return parts_; }
  [[nodiscard]] bool cuts_reads() const override { return false; }
  [[nodiscard]] std::uint64_t runs_most() const override { return kOrdersMost; }

  const Scenario& at(const Walk& walk) override {
    Scenario& race = races_[walk.part];
    if (!race.schedule) race.schedule.emplace();
    race.schedule->assign(walk.choices.begin(), walk.choices.begin() + walk.depth);
    return race;
  }

  void judge(const Walk&, const CaseRunner&, std::vector<oracle::Finding>&) override {}

  void go_on(Walk& walk, const CaseRunner* runner) override {
    if (runner != nullptr) take(walk, runner->schedule());
    Walk::Tally& tally = walk.tallies[walk.part];
    if (changes_of(walk, walk.depth) == walk.place) ++tally.different;
    if (turn(walk)) return;
    tally.changes = static_cast<std::uint32_t>(walk.place);
    if (!walk.more_beyond) return walk.next_part();
    ++walk.place;
    walk.depth = 0;
    walk.more_beyond = false;
  }

 private:
  static void take(Walk& walk, const sim::Schedule& schedule) {
    const auto& taken = schedule.taken();
    walk.depth = static_cast<std::uint32_t>(std::min(taken.size(), Walk::kChoicesMax));
    std::copy_n(taken.begin(), walk.depth, walk.choices.begin());
    std::copy_n(schedule.bounds().begin(), walk.depth, walk.bounds.begin());
  }

  static std::uint64_t changes_of(const Walk& walk, std::uint32_t depth) {
    return static_cast<std::uint64_t>(
        std::count_if(walk.choices.begin(), walk.choices.begin() + depth,
                      [](std::uint32_t choice) { return choice != 0; }));
  }

  /// Turns the last choice that can be another one. False: there is none within the limit.
  static bool turn(Walk& walk) {
    std::uint64_t before = changes_of(walk, walk.depth);
    for (std::uint32_t i = walk.depth; i > 0; --i) {
      std::uint32_t& choice = walk.choices[i - 1];
      if (choice != 0) --before;
      if (choice + 1 >= walk.bounds[i - 1]) continue;
      if (before >= walk.place) {
        walk.more_beyond = true;
        continue;
      }
      ++choice;
      walk.depth = i;
      return true;
    }
    return false;
  }

  std::vector<std::string> parts_;
  std::vector<Scenario> races_;
};

}  // namespace

std::unique_ptr<ExploredSpace> explored_orders() {
  return std::make_unique<Orders>();
}

}  // namespace poolproof::run

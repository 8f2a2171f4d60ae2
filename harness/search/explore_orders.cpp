#include <array>
#include <optional>
#include <string>

#include "harness/search/explore_space.hpp"

/// Every order of a short race, with every time its starts can take. explore_tree.hpp explains how,
/// and why the orders left out show nothing new. Reads are not cut here: explore_cuts.cpp does
/// that.
namespace poolproof::search {
namespace {

using scenario::Scenario;

struct Race {
  const char* name;
  const char* clients;  ///< the value of the scenario's key "clients", as JSON
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
      {"name": "c", "steps": [{"await": {"client": "a", "step": 0, "moment": "ended"}},
        {"cancel": {"client": "b"}}]},
      {"name": "d", "after": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
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
    Race{"late check-in meets next lease", R"(
      {"name": "a", "steps": [{"checkout": {}},
        {"await": {"client": "c", "step": 1, "moment": "begun"}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"await": {"client": "a", "step": 0, "moment": "ended"}},
        {"signal_worker": {"slot": 0, "generation": 0, "signal": "KILL"}},
        {"checkout": {}}, {"await": {"client": "a", "step": 2, "moment": "begun"}},
        {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "b", "step": 2, "moment": "ended"}},
        {"checkout": {}}, {"checkin": {}}]})"},
    Race{"old worker's end meets next start", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"throw": {}}]},
      {"name": "b", "after": "a", "steps": [{"checkout": {}}, {"throw": {}}]})",
         R"("size": 1, "payload": "opaque", "on_exception": "discard", "term_grace_ms": 3)",
         R"({"fault": "term_ignored", "at": {"slot": 0, "generation": 0}})"},
    Race{"two clients, two workers", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})",
         R"("size": 2, "payload": "opaque")"},
    Race{"start meets deadline", R"(
      {"name": "a", "steps": [{"checkout": {"timeout_ms": 1}}, {"checkin": {}}]},
      {"name": "b", "steps": [{"checkout": {}}, {"checkin": {}}]})"},
    Race{"close meets start", R"(
      {"name": "a", "steps": [{"checkout": {}}, {"checkin": {}}]},
      {"name": "c", "steps": [{"await": {"client": "a", "step": 0, "moment": "begun"}},
        {"pause": {"span_ms": 1}}, {"close": {}}]})"},
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

/// The default limit of runs of one race: twice as many as the largest race has.
constexpr std::uint64_t kRunsMost = 500'000;

std::string json_of(const Race& race) {
  return std::string(
             R"({"schema_version": 1, "name": "race", "why": "whatever comes first, it ends well: )") +
         race.name + R"(", "pool": {)" + race.pool +
         R"(}, "workers": [{"kind": "fake"}], "clients": [)" + race.clients + R"(], "faults": [)" +
         race.faults + R"(], "expect": {"any_success": true}})";
}

class Orders final : public ExploredSpace {
 public:
  Orders() : ExploredSpace(part_names(kRaces)) {
    for (const Race& race : kRaces) races_.push_back(own_scenario(json_of(race).c_str()));
  }

  [[nodiscard]] bool cuts_reads() const override { return false; }
  [[nodiscard]] std::uint64_t runs_most() const override { return kRunsMost; }

  /// The schedule as far as it is known. For a run that crashed, no other record of it exists.
  const Scenario& at(const Walk& walk) override {
    const OrderTree& tree = walk.tree;
    Scenario& race = races_[walk.part];
    race.schedule.emplace(tree.choices.begin(), tree.choices.begin() + tree.taken);
    return race;
  }

  sim::Moves* leader(Walk& walk) override { return &orders_.emplace(walk.tree); }

  void go_on(Walk& walk, const CaseRunner*) override {
    Walk::Tally& tally = walk.tallies[walk.part];
    if (!walk.tree.again) ++tally.different;
    if (walk.tree.incomplete) tally.cut_short = true;
    if (!turn(walk.tree)) walk.next_part();
  }

 private:
  std::optional<EveryOrder> orders_;
  std::vector<Scenario> races_;
};

}  // namespace

std::unique_ptr<ExploredSpace> explored_orders() {
  return std::make_unique<Orders>();
}

}  // namespace poolproof::search

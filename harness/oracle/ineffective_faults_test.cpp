#include "harness/oracle/oracle_testing.hpp"

namespace poolproof::oracle {
namespace {

using Kind = faults::JournalRecord::Kind;

trace::WorkerRecord receipt(const std::string& fault, double at,
                            std::optional<std::uint64_t> request) {
  trace::WorkerRecord stamped;
  stamped.at = ms(at);
  stamped.record.kind = Kind::receipt;
  stamped.record.fault = fault;
  stamped.record.plan_id = "f0";
  stamped.record.request = request;
  return stamped;
}

/// The good story with one fault planned and struck at a:1 (or at the start), otherwise unchanged.
Story struck(const std::string& fault, double at = 4.3, std::optional<std::uint64_t> request = 1) {
  Story story = told("good");
  faults::PlannedFault planned;
  planned.id = "f0";
  planned.fault = faults::find(fault);
  REQUIRE(planned.fault != nullptr);
  for (const faults::Param& param : planned.fault->params) {
    if (param.is_text) planned.texts[std::string(param.name)] = param.default_text;
    if (!param.is_text) planned.numbers[std::string(param.name)] = param.default_number;
  }
  story.scenario.faults.push_back(planned);
  const trace::WorkerRecord strike = receipt(fault, at, request);
  const auto behind = std::find_if(story.trace.workers.begin(), story.trace.workers.end(),
                                   [&strike](const auto& record) { return record.at > strike.at; });
  story.trace.workers.insert(behind, strike);
  return story;
}

trace::Trace control() {
  return told("good").trace;
}

std::size_t reasons(const Story& story) {
  return ineffective_faults(story.scenario, story.trace, control()).size();
}

/// The reply to a:1 came out at that time.
void write_at(Story& story, double at) {
  for (auto& record : story.trace.workers) {
    if (record.record.kind == Kind::wrote && record.record.request == 1U) record.at = ms(at);
  }
}

TEST_CASE("oracle: ineffective faults: a planned fault without a receipt never struck") {
  Story story = struck("reply_dropped");
  CHECK(strikes(story.scenario, story.trace) == std::vector<std::size_t>{1});
  story.trace = control();
  CHECK(strikes(story.scenario, story.trace) == std::vector<std::size_t>{0});
  const auto said = ineffective_faults(story.scenario, story.trace, control());
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("fault f0 (reply_dropped) never struck") == 0);
}

TEST_CASE("oracle: ineffective faults: a strike that changes nothing is named") {
  const auto said =
      ineffective_faults(struck("reply_twice").scenario, struck("reply_twice").trace, control());
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("fault f0 (reply_twice) struck, but nothing") == 0);
}

TEST_CASE(
    "oracle: ineffective faults: the struck call's outcome, its worker's journal or successors are "
    "an effect") {
  Story outcome = struck("reply_dropped");
  step(outcome, "a", 1).outcome = Outcome::call_timeout;
  CHECK(reasons(outcome) == 0);
  Story other = struck("reply_dropped");
  step(other, "b", 1).outcome = Outcome::call_timeout;  // another's call proves nothing
  CHECK(reasons(other) == 1);
  Story doubt = struck("text_after_reply");
  step(doubt, "a", 1).in_doubt = true;
  CHECK(reasons(doubt) == 0);
  Story bytes = struck("text_after_reply");
  for (auto& record : bytes.trace.workers) {
    if (record.record.kind == Kind::wrote && record.record.request == 1U) record.record.bytes += 9;
  }
  CHECK(reasons(bytes) == 0);
  Story digits = struck("text_after_reply");
  for (auto& record : digits.trace.workers) {
    if (record.record.kind == Kind::wrote) record.record.bytes += 3;  // of the timestamp
  }
  CHECK(reasons(digits) == 1);
  Story successor = struck("exit_while_idle");
  auto started = successor.trace.workers.front();
  started.worker.generation = 1;
  successor.trace.workers.push_back(started);
  CHECK(reasons(successor) == 0);
  Story code = struck("exit_code_at_shutdown", 9.4, std::nullopt);
  code.trace.workers.back().record.code = 1;
  CHECK(reasons(code) == 0);
}

TEST_CASE("oracle: ineffective faults: a fault of the start shows in any client") {
  Story story = struck("banner", 2.6, std::nullopt);
  CHECK(reasons(story) == 1);
  step(story, "b", 0).outcome = Outcome::start_failed;
  CHECK(reasons(story) == 0);
}

TEST_CASE("oracle: ineffective faults: a delay is measured from its receipt") {
  Story slow = struck("reply_slow");  // 50 ms
  write_at(slow, 54.3);
  CHECK(reasons(slow) == 0);
  write_at(slow, 54.2);
  CHECK(reasons(slow) == 1);
  Story import = struck("import_slow", 2.6, std::nullopt);  // 1000 ms, read at 3 ms
  CHECK(reasons(import) == 1);
  import.scenario.faults[0].numbers["delay_ms"] = 0;
  CHECK(reasons(import) == 0);
  Story trickled = struck("reply_trickled");  // 90 bytes, 89 pauses of 20 ms
  write_at(trickled, 4.3 + 1780);
  CHECK(reasons(trickled) == 0);
  write_at(trickled, 4.3 + 1779);
  CHECK(reasons(trickled) == 1);
}

TEST_CASE("oracle: ineffective faults: a harmless fault shows in its own journal lines") {
  Story fragmented = struck("reply_fragmented");
  CHECK(reasons(fragmented) == 0);
  fragmented.scenario.faults[0].numbers["chunk_bytes"] = 90;  // the whole reply at once
  CHECK(reasons(fragmented) == 1);
  CHECK(reasons(struck("stderr_flood")) == 0);
  CHECK(reasons(struck("reply_padded")) == 0);
  Story left = struck("grandchild_left");
  CHECK(reasons(left) == 1);
  auto grandchild = left.trace.workers.back();
  grandchild.record = {};
  grandchild.record.kind = Kind::grandchild;
  left.trace.workers.push_back(grandchild);
  CHECK(reasons(left) == 0);
}

TEST_CASE("oracle: ineffective faults: a control that did nothing proves nothing") {
  Story story = struck("stderr_flood");
  CHECK(ineffective_faults(story.scenario, story.trace, {}).size() == 1);
}

TEST_CASE("oracle: ineffective faults: a signal that changes nothing proves nothing") {
  const auto said = [](std::vector<std::pair<double, int>> signals, auto change) {
    Story story = told("good");
    for (const auto& [at, signal] : signals) {
      story.trace.environment.push_back({ms(at), WorkerId{0, 0}, signal, true});
    }
    change(story);
    return reasons(story);
  };
  const auto nothing = [](Story&) {};
  const auto other_outcome = [](Story& story) {
    step(story, "b", 1).outcome = Outcome::worker_died;
  };
  CHECK(said({{4.3, 18}}, nothing) == 1);
  CHECK(said({{4.3, 9}}, other_outcome) == 0);
  CHECK(said({{4.3, 15}}, [](Story& story) {
          trace::WorkerRecord term = story.trace.workers.back();
          term.record = faults::record_of(Kind::term);
          story.trace.workers.push_back(term);
        }) == 0);
  CHECK(said({{4.3, 9}}, [](Story& story) { story.trace.environment.back().delivered = false; }) ==
        0);
  // Who is stopped and goes on in the middle of a call holds the call up; or a checkout, or a
  // close.
  CHECK(said({{4.3, 19}, {4.5, 18}}, nothing) == 0);
  CHECK(said({{4.3, 19}}, nothing) == 1);
  CHECK(said({{4.7, 19}, {4.8, 18}}, nothing) == 2);
  CHECK(said({{4.3, 10}, {4.5, 18}}, nothing) == 2);
  const auto as = [](StepKind kind, std::uint32_t slot) {
    return [kind, slot](Story& story) {
      trace::ClientStep other = step(story, "b", 1);
      other.kind = kind;
      other.worker = WorkerId{slot, 0};
      other.begun = ms(4.7);
      other.ended = ms(4.9);
      story.trace.clients.push_back(other);
    };
  };
  CHECK(said({{4.7, 19}, {4.8, 18}}, as(StepKind::checkout, 0)) == 0);
  CHECK(said({{4.7, 19}, {4.8, 18}}, as(StepKind::close, 7)) == 0);
  CHECK(said({{4.7, 19}, {4.8, 18}}, as(StepKind::checkout, 1)) == 2);
  CHECK(said({{4.7, 19}, {4.8, 18}}, as(StepKind::checkin, 0)) == 2);
}

}  // namespace
}  // namespace poolproof::oracle

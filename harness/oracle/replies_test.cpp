#include <nlohmann/json.hpp>

#include "harness/oracle/oracle_testing.hpp"
#include "harness/oracle/view.hpp"

namespace poolproof::oracle {
namespace {

using nlohmann::json;
using scenario::ExpectedFate;
using scenario::Farewell;
using scenario::Fate;

std::string expectations(const Story& story) {
  std::string text;
  for (const Finding& finding : judge_expectations(story.evidence())) text += finding.what + "\n";
  return text;
}

/// The sentence of the first finding of that invariant; empty: there is none.
std::string finding(const Story& story, const std::string& invariant) {
  for (const Finding& one : judge(story.evidence())) {
    if (one.invariant == invariant) return one.what;
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

/// Both calls of the good story, in a pool of bare bytes: a sends "of a", b sends "of b".
Story opaque() {
  Story story = told("good");
  story.scenario.pool.opaque = true;
  for (const char* name : {"a", "b"}) {
    trace::ClientStep& call = step(story, name, 1);
    call.kind = StepKind::call_bytes;
    call.command = "bytes";
    call.nonce = call.reply_nonce = "";
    const std::size_t client = *name == 'a' ? 0 : 1;
    story.scenario.clients[client].steps[1] = scenario::CallBytes{std::string("of ") + name, {}};
  }
  return story;
}

void answer(Story& story, const char* client, const std::string& bytes) {
  step(story, client, 1).reply_hash = trace::hash_of_reply(bytes);
  step(story, client, 1).reply_shown = bytes;
}

scenario::CallBytes& asked_bytes(Story& story, std::size_t client) {
  return std::get<scenario::CallBytes>(story.scenario.clients[client].steps[1]);
}

TEST_CASE("oracle: replies: bare bytes that another caller had sent are that one's answer") {
  Story story = opaque();
  CHECK(finding(story, "pairing").empty());
  answer(story, "a", "nothing yet");
  CHECK(finding(story, "pairing").empty());
  answer(story, "b", "of a");
  const std::string found = finding(story, "pairing");
  CHECK(has(found, "client b, step 1"));
  CHECK(has(found, "got \"of a\", which client a, step 1"));
  CHECK(has(found, "another caller's answer"));
}

TEST_CASE("oracle: replies: what is sent only later, or is said to be right, is nobody else's") {
  Story early = opaque();
  answer(early, "a", "of b");
  CHECK(finding(early, "pairing").empty());
  Story said = opaque();
  answer(said, "b", "of a");
  asked_bytes(said, 1).reply = "of a";
  CHECK(finding(said, "pairing").empty());
  CHECK(expectations(said).empty());
}

TEST_CASE("oracle: replies: bytes that a fault left behind are judged as such, late ones are not") {
  Story spoilt = opaque();
  answer(spoilt, "b", "of a");
  plan(spoilt, "reply_twice");
  strike(spoilt, "reply_twice", 4.3, 1);
  CHECK(finding(spoilt, "pairing").empty());
  Story unasked = opaque();
  answer(unasked, "b", "of a");
  plan(unasked, "text_while_idle");
  strike(unasked, "text_while_idle", 5.5, 1);
  CHECK(finding(unasked, "pairing").empty());
  Story late = opaque();
  answer(late, "b", "of a");
  plan(late, "reply_late");
  strike(late, "reply_late", 4.3, 1);
  CHECK_FALSE(finding(late, "pairing").empty());
}

TEST_CASE("oracle: replies: what the scenario says of a reply is an expectation") {
  Story bytes = opaque();
  answer(bytes, "a", "nothing yet");
  asked_bytes(bytes, 0).reply = "yes";
  CHECK(expectations(bytes).empty());
  step(bytes, "a", 1).reply_differs = true;
  CHECK(has(expectations(bytes), "got the reply nothing yet; expected yes"));

  Story story = told("good");
  std::get<scenario::Call>(story.scenario.clients[0].steps[1]).reply =
      std::make_shared<const json>(json{{"n", 2}});
  CHECK(expectations(story).empty());
  step(story, "a", 1).reply_differs = true;
  step(story, "a", 1).reply_shown = R"({"n":3})";
  CHECK(has(expectations(story), R"(got the reply {"n":3}; expected {"n":2})"));
  CHECK(finding(story, "sound_reply").empty());
  // An error is judged as one, not by what it says.
  step(story, "a", 1).outcome = Outcome::worker_error;
  CHECK_FALSE(has(expectations(story), "got the reply"));
}

TEST_CASE("oracle: replies: an echo that comes back changed is no sound reply, but by a fault") {
  Story story = told("good");
  step(story, "a", 1).reply_differs = true;
  step(story, "a", 1).reply_shown = R"({"n":3})";
  CHECK(has(finding(story, "sound_reply"), R"(came {"n":3})"));
  CHECK(expectations(story).empty());
  Story refused = story;
  step(refused, "a", 1).outcome = Outcome::worker_error;
  CHECK(finding(refused, "sound_reply").empty());
  plan(story, "reply_reshaped");
  story.scenario.faults.back().texts["shape"] = "result_list";
  strike(story, "reply_reshaped", 4.3, 1);
  CHECK(finding(story, "sound_reply").empty());

  // What answers a request that it has not read knows nothing of its arguments.
  Story unread = told("good");
  step(unread, "a", 1).reply_differs = true;
  plan(unread, "reading_stopped");
  unread.scenario.faults.back().texts["then"] = "answer";
  strike(unread, "reading_stopped", 3.9, 0);
  CHECK_FALSE(finding(unread, "sound_reply").starts_with("client a, step 1"));
}

/// The good story, of whose worker this is done and seen from 9.1 ms on. Its journal tells nothing
/// of its end.
Story leaving(const std::vector<std::pair<double, pool::StopStep>>& done, ExitStatus exit) {
  Story story = told("good");
  auto& pool = story.trace.pool;
  for (trace::PoolRecord& record : pool) {
    if (std::holds_alternative<pool::CloseRequested>(record.event)) record.effects.clear();
    if (auto* exited = std::get_if<pool::Exited>(&record.event)) {
      exited->status = exit;
      record.at = ms(400);
    }
  }
  for (const auto& [at, stop] : done) {
    trace::PoolRecord record;
    record.at = ms(at);
    record.event = pool::Tick{};
    record.effects = {pool::Stop{{0, 0}, stop, pool::RemovalReason::closing}};
    pool.insert(pool.end() - 1, record);
  }
  std::erase_if(story.trace.workers, [](const WorkerRecord& record) {
    return record.at >= ms(9) || record.record.kind == Kind::exiting;
  });
  return story;
}

void journal(Story& story, double at, Kind kind) {
  WorkerRecord record;
  record.at = ms(at);
  record.worker = {0, 0};
  record.record.kind = kind;
  story.trace.workers.push_back(record);
}

/// From 9.1 ms on the worker is pinged, and exits at 400 ms.
Story pinged(double deadline) {
  Story story = leaving({}, {});
  trace::PoolRecord record;
  record.at = ms(9.1);
  record.event = pool::Tick{};
  record.effects = {pool::BeginPing{{0, 0}, ms(deadline)}};
  story.trace.pool.insert(story.trace.pool.end() - 3, record);
  return story;
}

std::string judged(Story story, std::vector<Farewell> by, std::optional<ExitStatus> exit = {}) {
  story.scenario.expect.workers = {{{0, 0}, {Fate::closed}, std::move(by), exit}};
  return expectations(story);
}

TEST_CASE("oracle: fate: what a worker left by is the last that the pool did to it") {
  using pool::StopStep;
  const Story asked = leaving({{10, StopStep::ask}}, {});
  CHECK(judged(asked, {Farewell::asked}).empty());
  CHECK(has(judged(asked, {Farewell::end_of_input}),
            "worker 0.0 left by asked; expected end_of_input: it was asked to leave, "
            "390.000 ms later it exited with code 0"));
  const Story pushed =
      leaving({{10, StopStep::ask}, {110, StopStep::end_of_input}, {210, StopStep::term}}, {0, 15});
  CHECK(judged(pushed, {Farewell::asked, Farewell::term}).empty());
  CHECK(has(judged(pushed, {Farewell::end_of_input}),
            "left by TERM; expected end_of_input: it was asked to leave, 100.000 ms later its "
            "input ended, 100.000 ms later TERM, 190.000 ms later it was ended by signal 15"));
  const Story alone = leaving({}, {3, 0});
  CHECK(has(judged(alone, {Farewell::asked}), "was not made to leave; expected asked"));
}

TEST_CASE("oracle: fate: a worker that knows no requests leaves by the end of its input") {
  Story story = leaving({{10, pool::StopStep::ask}}, {});
  story.scenario.pool.opaque = true;
  CHECK(judged(story, {Farewell::end_of_input}).empty());
  CHECK(has(judged(story, {Farewell::asked}), "left by end_of_input; expected asked: its input"));
}

TEST_CASE("oracle: fate: KILL that comes too late is not what a worker left by") {
  using pool::StopStep;
  const Story killed = leaving({{10, StopStep::term}, {110, StopStep::kill}}, {0, 9});
  CHECK(judged(killed, {Farewell::kill}).empty());
  const Story escaped = leaving({{10, StopStep::term}, {110, StopStep::kill}}, {0, 0});
  CHECK(judged(escaped, {Farewell::term}).empty());
  CHECK(has(judged(killed, {Farewell::term}), "KILL, 290.000 ms later it was ended by that"));
}

TEST_CASE("oracle: fate: TERM that the worker did not live to see is not what it left by") {
  using pool::StopStep;
  Story story = leaving({{10, StopStep::ask}, {110, StopStep::term}}, {});
  journal(story, 100, Kind::exiting);
  CHECK(judged(story, {Farewell::asked}).empty());
  CHECK(has(judged(story, {Farewell::term}), "100.000 ms later TERM (it had exited), 290.000 ms"));
  // In virtual time all of it may happen at once.
  story.trace.workers.back().at = ms(110);
  CHECK(judged(story, {Farewell::asked}).empty());
  story.trace.workers.pop_back();
  journal(story, 110, Kind::term);
  journal(story, 110, Kind::exiting);
  CHECK(judged(story, {Farewell::term}).empty());
  Story asked = leaving({{10, StopStep::ask}}, {});
  journal(asked, 10, Kind::exiting);
  CHECK(judged(asked, {Farewell::asked}).empty());
}

TEST_CASE("oracle: fate: an input ends once, and its end is told once") {
  using pool::StopStep;
  Story story = leaving({{10, StopStep::ask}, {110, StopStep::end_of_input}}, {});
  story.scenario.pool.opaque = true;
  CHECK(
      has(judged(story, {Farewell::term}), "expected TERM: its input ended, 390.000 ms later it"));
}

TEST_CASE(
    "oracle: fate: the pool ends the input of who leaves a ping unanswered, and so kills it") {
  const auto story_of = [](double deadline) {
    Story story = pinged(deadline);
    story.scenario.expect.workers = {{{0, 0}, {Fate::killed}, {Farewell::end_of_input}, {}}};
    // Nothing is closed before the worker has left.
    std::erase_if(story.trace.pool, [](const trace::PoolRecord& record) {
      return std::holds_alternative<pool::CloseRequested>(record.event);
    });
    return story;
  };
  CHECK(expectations(story_of(300)).empty());
  // It exited before its time was over: by itself.
  CHECK(has(expectations(story_of(500)), "was not made to leave"));
  CHECK(has(expectations(story_of(500)), "was \"died\"; expected killed"));

  // The ping is given up, and TERM is ordered, when it has exited.
  Story late = story_of(300);
  trace::PoolRecord record;
  record.at = ms(399);
  record.event = pool::PingEnded{{0, 0}, false};
  record.effects = {pool::Stop{{0, 0}, pool::StopStep::term, pool::RemovalReason::ping_failed}};
  late.trace.pool.insert(late.trace.pool.end() - 2, record);
  CHECK(has(expectations(late), "left by TERM"));
  journal(late, 301, Kind::stdin_end);
  journal(late, 302, Kind::exiting);
  CHECK(expectations(late).empty());
}

TEST_CASE("oracle: fate: how a process ended is compared with what is expected") {
  const Story story = leaving({{10, pool::StopStep::ask}}, {7, 0});
  CHECK(judged(story, {}, ExitStatus{7, 0}).empty());
  CHECK(has(judged(story, {}, ExitStatus{0, 0}),
            "worker 0.0 exited with code 7; expected exited with code 0"));
  CHECK(has(judged(story, {}, ExitStatus{0, 15}), "expected was ended by signal 15"));
}

TEST_CASE("oracle: fate: a pool that gives no self-report is not asked what workers leave by") {
  Story story = leaving({{10, pool::StopStep::ask}}, {7, 0});
  story.trace.pool.clear();
  CHECK(judged(story, {Farewell::kill}, ExitStatus{0, 0}).empty());
}

}  // namespace
}  // namespace poolproof::oracle

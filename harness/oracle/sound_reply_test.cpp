#include "harness/oracle/oracle_testing.hpp"

/// Whose reply is sound, and what is left behind one that is not.
namespace poolproof::oracle {
namespace {

using Kind = faults::JournalRecord::Kind;

TEST_CASE("oracle: sound reply: which faults spoil one depends on their parameters") {
  const auto answered = [](const char* fault, const char* name, std::int64_t number) {
    Story story = told("good");
    plan(story, fault);
    if (*name != '\0') story.scenario.faults[0].numbers[name] = number;
    strike(story, fault, 7.3, 2);
    return broken(story).contains("sound_reply");
  };
  CHECK(answered("json_invalid", "", 0));
  CHECK(answered("reply_dropped", "", 0));
  CHECK(answered("length_too_short", "missing_bytes", 1));
  CHECK(answered("length_over_limit", "over_bytes", 1));
  CHECK_FALSE(answered("reply_padded", "payload_bytes", 1000));
  CHECK(answered("id_wrong", "offset", 1));
  CHECK_FALSE(answered("id_wrong", "offset", 0));
  CHECK(answered("killed_mid_call", "signal", 9));
  CHECK_FALSE(answered("killed_mid_call", "signal", 18));
  CHECK(answered("error_reply", "", 0));  // it ended with ok
  CHECK_FALSE(answered("reply_slow", "", 0));
  CHECK(answered("reply_truncated", "keep_bytes", 3));
  CHECK_FALSE(answered("reply_truncated", "keep_bytes", 100'000));  // it was written whole
  CHECK(answered("text_before_reply", "", 0));
  CHECK_FALSE(answered("reply_twice", "", 0));
}

TEST_CASE("oracle: sound reply: of the shapes of a reply only a list is an answer") {
  const auto answered = [](const char* shape, Outcome outcome) {
    Story story = told("good");
    plan(story, "reply_reshaped");
    story.scenario.faults[0].texts["shape"] = shape;
    strike(story, "reply_reshaped", 7.3, 2);
    step(story, "b", 1).outcome = outcome;
    return broken(story).contains("sound_reply");
  };
  for (const char* shape : {"id_fraction", "no_result", "null_id_error"}) {
    CAPTURE(shape);
    CHECK(answered(shape, Outcome::ok));
    CHECK(answered(shape, Outcome::worker_error));
    CHECK_FALSE(answered(shape, Outcome::protocol_error));
  }
  CHECK_FALSE(answered("result_list", Outcome::ok));
}

TEST_CASE("oracle: sound reply: of two faults at one reply nobody knows what comes") {
  Story story = told("good");
  plan(story, "json_invalid");
  strike(story, "json_invalid", 7.3, 2);
  strike(story, "text_after_reply", 7.3, 2);
  CHECK_FALSE(broken(story).contains("sound_reply"));
}

TEST_CASE("oracle: sound reply: what stood in the pipe before may make it good again") {
  const auto answered = [](bool wrote_unasked) {
    Story story = told("good");
    plan(story, "json_invalid");
    strike(story, "json_invalid", 7.3, 2);
    if (wrote_unasked) {
      plan(story, "text_while_idle");
      story.scenario.faults.back().id = "f1";
      strike(story, "text_while_idle", 5.5, 1);
      for (auto& one : story.trace.workers) {
        if (one.record.fault == "text_while_idle") one.record.plan_id = "f1";
      }
    }
    return broken(story).contains("sound_reply");
  };
  CHECK(answered(false));
  CHECK_FALSE(answered(true));
}

TEST_CASE("oracle: prompt death: TERM may come before the end that a worker has announced") {
  Story story = told("prompt_death");
  REQUIRE(broken(story).contains("prompt_death"));
  auto& records = story.trace.workers;
  const auto exiting = std::find_if(records.begin(), records.end(), [](const auto& record) {
    return record.record.kind == Kind::exiting;
  });
  REQUIRE(exiting != records.end());
  trace::WorkerRecord term = *exiting;
  term.record = faults::record_of(Kind::term);
  records.insert(exiting + 1, term);
  CHECK_FALSE(broken(story).contains("prompt_death"));
}

TEST_CASE("oracle: residue: who left bytes behind a reply answers nobody any more") {
  Story story = told("good");
  plan(story, "reply_twice");
  strike(story, "reply_twice", 4.3, 1);
  CHECK(broken(story).contains("no_dirty_reuse"));
  Story last = told("good");
  plan(last, "reply_twice");
  strike(last, "reply_twice", 7.3, 2);
  CHECK_FALSE(broken(last).contains("no_dirty_reuse"));
}

TEST_CASE("oracle: residue: without nonces, who left bytes behind answers no call begun later") {
  const auto answered = [](double struck_at, const char* fault) {
    Story story = told("good");
    story.scenario.pool.opaque = true;
    plan(story, fault);
    strike(story, fault, struck_at, 1);
    return broken(story).contains("no_dirty_reuse");
  };
  CHECK(answered(4.3, "reply_twice"));
  CHECK_FALSE(answered(7.3, "reply_twice"));  // the last call had begun
  CHECK_FALSE(answered(4.3, "reply_slow"));
}

/// A banner that is a whole frame. Who was calling when it came has its reply in the pipe, and
/// nobody could know; who called later was given to a worker that had shown itself unsound.
TEST_CASE("oracle: residue: a frame written unasked excuses the worker if a call was under way") {
  const auto answered = [](double struck_at, bool unasked) {
    Story story = told("good");
    story.scenario.pool.opaque = true;
    plan(story, "banner");
    story.scenario.faults.back().texts["text"] = std::string("\0\0\0\1x", 5);
    strike(story, "banner", struck_at, 1);
    for (trace::WorkerRecord& one : story.trace.workers) {
      if (unasked && one.record.kind == Kind::receipt) one.record.request.reset();
    }
    return broken(story).contains("no_dirty_reuse");
  };
  CHECK_FALSE(answered(4.3, true));  // a's call took it for its reply
  CHECK(answered(2.6, true));        // nobody was calling
  CHECK(answered(4.3, false));       // it lay behind the reply to that very call
}

TEST_CASE("oracle: residue: who was answered before it had asked does not take its worker on") {
  const auto kept = [](std::uint64_t written, bool in_doubt, const char* then) {
    Story story = told("good");
    for (auto& client : story.scenario.clients) {
      for (auto& one : client.steps) {
        if (auto* call = std::get_if<scenario::Call>(&one)) call->pad_bytes = 70'000;
      }
    }
    for (auto& one : story.trace.clients) one.written_bytes = 70'100;
    trace::ClientStep& call = step(story, "b", 1);
    call.written_bytes = written;
    call.in_doubt = in_doubt;
    plan(story, "reading_stopped");
    story.scenario.faults[0].texts["then"] = then;
    strike(story, "reading_stopped", 7.3, 2);
    const auto findings = judge(story.evidence());
    return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
      return finding.what.find("of its request were written") != std::string::npos;
    });
  };
  CHECK(kept(65'536, false, "answer"));
  CHECK_FALSE(kept(65'536, true, "answer"));
  CHECK_FALSE(kept(70'100, false, "answer"));
  CHECK_FALSE(kept(65'536, false, "hang"));
}

TEST_CASE("oracle: witnesses: who answers unread shows no read, and only by that fault") {
  Story story = told("good");
  std::erase_if(story.trace.workers, [](const auto& record) {
    return record.record.kind == Kind::read && record.record.request == 2U;
  });
  CHECK(broken(story).contains("witnesses"));
  plan(story, "reading_stopped");
  strike(story, "reading_stopped", 7.3, 2);
  CHECK(broken(story).contains("witnesses"));
  story.scenario.faults[0].texts["then"] = "answer";
  CHECK_FALSE(broken(story).contains("witnesses"));
}

}  // namespace
}  // namespace poolproof::oracle

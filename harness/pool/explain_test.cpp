#include "harness/pool/explain.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::pool;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

using namespace std::chrono_literals;

Refuse refusal(Outcome why) {
  Refuse refuse;
  refuse.why = why;
  refuse.waiting_since = Time(10s);
  refuse.since = Time(10s);
  return refuse;
}

RefusalFacts at(Duration now) {
  RefusalFacts facts;
  facts.now = Time(now);
  return facts;
}

StartEvidence evidence(StartCause cause, std::string_view first = "") {
  StartEvidence found;
  found.cause = cause;
  found.ping_bytes = 44;
  found.first_size = static_cast<std::uint8_t>(first.size());
  std::copy(first.begin(), first.end(), found.first.begin());
  return found;
}

}  // namespace

TEST_CASE("pool: explain: a checkout timeout says what the client waited for") {
  Refuse refuse = refusal(Outcome::checkout_timeout);
  refuse.has_blocker = true;
  refuse.blocker = {0, 3};
  refuse.phase = Phase::handshake;
  refuse.since = Time(10s + 400ms);
  RefusalFacts facts = at(12s);
  facts.blocker_pid = 4711;
  facts.ping_bytes = 44;
  facts.unread_bytes = 44;
  const Error error = explain_refusal(refuse, {}, facts);
  CHECK(error.kind == Outcome::checkout_timeout);
  CHECK(error.worker == WorkerId{0, 3});
  CHECK(error.retryable);
  CHECK(error.message ==
        "checkout_timeout after 2000 ms: slot 0 is still starting (handshake 1.6 s, pid 4711); its "
        "ping is unread (44 of 44 bytes), so it is still importing, or never reads its input. The "
        "start-up budget (5000 ms) is longer than the checkout timeout");

  facts.unread_bytes = 0;
  CHECK(contains(explain_refusal(refuse, {}, facts).message, "it has read its ping"));
  facts.unread_bytes.reset();
  CHECK_FALSE(contains(explain_refusal(refuse, {}, facts).message, "ping"));
  facts.now = Time(20s);
  CHECK_FALSE(contains(explain_refusal(refuse, {}, facts).message, "start-up budget"));
}

TEST_CASE("pool: explain: a checkout timeout with nothing starting names the busy") {
  Refuse refuse = refusal(Outcome::checkout_timeout);
  RefusalFacts facts = at(10s + 20ms);
  facts.gauges.leased = 2;
  facts.gauges.waiting = 3;
  CHECK(explain_refusal(refuse, {}, facts).message ==
        "checkout_timeout after 20 ms: all workers are busy: 2 leased, 3 other client(s) waiting");
  facts.gauges.leased = 0;
  facts.gauges.pinging = 1;
  facts.gauges.handshake = 2;
  CHECK(contains(explain_refusal(refuse, {}, facts).message,
                 "all workers are busy: 2 starting, 1 being pinged, 3 other client(s) waiting"));
  facts.gauges.pinging = facts.gauges.handshake = 0;
  CHECK(contains(explain_refusal(refuse, {}, facts).message, "no worker is there, and no time"));
  refuse.phase = Phase::cooling;
  refuse.failures = 4;
  CHECK(contains(explain_refusal(refuse, {}, facts).message, "held back after 4 failure(s)"));
  refuse.phase = Phase::suspended;
  facts.gauges.waiting = 0;
  CHECK(contains(explain_refusal(refuse, {}, facts).message,
                 "the pool is suspended (0 other client(s) wait for it to be resumed)"));
}

TEST_CASE("pool: explain: the greeting is called what its users call it") {
  StartWords known;
  known.greeting = "initialize";
  StartEvidence evidence;
  evidence.ping_bytes = 120;
  std::size_t named = 0;
  for (std::size_t i = 0; i < enumerators<StartCause>(); ++i) {
    evidence.cause = static_cast<StartCause>(i);
    for (const std::uint32_t unread : {0U, 7U, 120U}) {
      evidence.unread_bytes = unread;
      const std::string text = explain_start({0, 1}, evidence, {}, known);
      CAPTURE(text);
      CHECK_FALSE(contains(text, "ping"));
      if (contains(text, "its initialize")) ++named;
    }
  }
  CHECK(named > 15);
  Refuse refuse = refusal(Outcome::checkout_timeout);
  refuse.has_blocker = true;
  refuse.phase = Phase::handshake;
  RefusalFacts facts = at(11s);
  facts.cause.greeting = "initialize";
  facts.ping_bytes = 120;
  for (const std::uint32_t unread : {0U, 120U}) {
    facts.unread_bytes = unread;
    const std::string text = explain_refusal(refuse, {}, facts).message;
    CAPTURE(text);
    CHECK(contains(text, "its initialize"));
    CHECK_FALSE(contains(text, "ping"));
  }
}

TEST_CASE("pool: explain: one behind another start says whether it must be so") {
  Refuse refuse = refusal(Outcome::checkout_timeout);
  refuse.has_blocker = true;
  refuse.cause.cause = StartCause::behind_another_start;
  Config config;
  CHECK(contains(explain_refusal(refuse, config, at(11s)).message,
                 "at most 4 start(s) go on at a time (starts_max)"));
  config.init_mode = InitMode::blocking;
  const Error error = explain_refusal(refuse, config, at(11s));
  CHECK(contains(error.message, "init_mode is blocking"));
  CHECK(error.cause == StartCause::behind_another_start);
}

TEST_CASE("pool: explain: a start that failed beside the last worker of its slot says so") {
  Refuse refuse = refusal(Outcome::start_failed);
  refuse.cause = evidence(StartCause::exited, "");
  refuse.cause_worker = {1, 2};
  RefusalFacts facts = at(11s);
  CHECK_FALSE(contains(explain_refusal(refuse, {}, facts).message, "before it in slot"));
  facts.cause.pid_before = 4711;
  facts.cause.still_there = true;
  CHECK(
      contains(explain_refusal(refuse, {}, facts).message,
               "; the worker before it in slot 1 (pid 4711) has not left: if only one of them can "
               "have a port, a lock or a device, set \"overlap\": false"));
  facts.cause.still_there = false;
  CHECK(contains(explain_refusal(refuse, {}, facts).message, "(pid 4711) had not left then: if"));
}

TEST_CASE("pool: explain: who waits for a worker to go is told that its slot does") {
  const Refuse refuse = refusal(Outcome::checkout_timeout);
  RefusalFacts facts = at(11s);
  facts.gauges.leaving = 1;
  facts.gauges.waiting = 3;
  CHECK(contains(explain_refusal(refuse, {}, facts).message,
                 "all workers are busy: 1 told to go and not gone yet, 3 other client(s) waiting"));
  Config config;
  config.overlap = false;
  CHECK(contains(explain_refusal(refuse, config, facts).message,
                 "1 told to go, whose slots wait for them (overlap is false), 3 other"));
}

TEST_CASE("pool: explain: a failed start brings its evidence") {
  Refuse refuse = refusal(Outcome::start_failed);
  refuse.cause = evidence(StartCause::text_on_stdout, "Loading\x1b[31m");
  refuse.cause_worker = {1, 2};
  refuse.failures = 3;
  RefusalFacts facts = at(11s);
  facts.cause.stderr_tail = "first\nlast \x07";
  const Error error = explain_refusal(refuse, {}, facts);
  CHECK(error.kind == Outcome::start_failed);
  CHECK(error.cause == StartCause::text_on_stdout);
  CHECK(error.worker == WorkerId{1, 2});
  CHECK(error.first_bytes == "Loading\x1b[31m");
  CHECK(error.stderr_tail == facts.cause.stderr_tail);
  CHECK(contains(error.message, "(3 starts in a row have failed)"));
  CHECK(contains(error.message, "its stderr ends: first\\nlast \\x07"));
  // Nothing that a worker wrote reaches a terminal as it is.
  CHECK(error.message.find('\x1b') == std::string::npos);
}

TEST_CASE("pool: explain: every cause of a failed start has words of its own") {
  std::vector<std::string> said;
  for (std::size_t i = 1; i < kStartCauseNames.size(); ++i) {
    const auto cause = static_cast<StartCause>(i);
    if (cause == StartCause::behind_another_start) continue;  // no start, so no post-mortem
    said.push_back(explain_start({0, 0}, evidence(cause, "x"), {}, {}));
    CAPTURE(name(cause));
    CHECK_FALSE(contains(said.back(), "did not start"));
  }
  std::sort(said.begin(), said.end());
  CHECK(std::adjacent_find(said.begin(), said.end()) == said.end());
}

TEST_CASE("pool: explain: a call's end says who, what and how far") {
  wire::CallResult result;
  result.outcome = Outcome::call_timeout;
  result.phase = Phase::awaiting_reply;
  result.detail = "no reply within the call timeout";
  result.written_bytes = 80;
  CallFacts facts;
  facts.worker = {0, 1};
  facts.pid = 4711;
  facts.command = "echo";
  facts.limit = 250ms;
  Error error = explain_call(result, facts);
  CHECK(error.message ==
        "call_timeout while awaiting_reply: \"echo\" on worker 0.1 (pid 4711) after 250 ms: no "
        "reply within the call timeout; the worker has read all of it");
  CHECK_FALSE(error.retryable);
  result.written_bytes = 0;
  CHECK(explain_call(result, facts).retryable);
  result.written_bytes = 80;
  facts.pool_closing = true;
  error = explain_call(result, facts);
  CHECK(error.kind == Outcome::pool_closed);
  CHECK(contains(error.message, "the pool closed and put worker 0.1 (pid 4711) away"));
  CHECK_FALSE(error.retryable);
}

TEST_CASE("pool: explain: a timeout tells what the worker read, does and said") {
  wire::CallResult result;
  result.outcome = Outcome::call_timeout;
  result.written_bytes = 80;
  CallFacts facts;
  const auto [unread, activity, tail, words] =
      GENERATE(table<std::size_t, Activity, std::string, std::string>({
          {0,
           {Activity::Kind::stopped, 0},
           "",
           "; the worker has read all of it, and the process is stopped (as by SIGSTOP)"},
          {80,
           {Activity::Kind::runs, 97},
           "",
           "; the worker has read nothing of it, and the process runs at 97 % CPU"},
          // Bytes of an earlier request are not this one's.
          {300,
           {Activity::Kind::runs, 0},
           "",
           "; the worker has read nothing of it, and the process runs"},
          {30,
           {Activity::Kind::waits, 3},
           "waiting for the lock",
           "; the worker has read 50 bytes of it, and the process waits; its stderr ends: waiting "
           "for the lock"},
      }));
  facts.unread_bytes = unread;
  facts.activity = activity;
  facts.stderr_tail = tail;
  const std::string said = explain_call(result, facts).message;
  CAPTURE(said);
  CHECK(said.ends_with(words));
}

TEST_CASE("pool: explain: a bad init reply says why it is none, a dead worker whether it read") {
  StartWords known;
  known.reason = "reply has no \"success\"";
  CHECK(contains(explain_start({0, 0}, evidence(StartCause::bad_frame, "x"), {}, known),
                 "no reply to it: reply has no \"success\"; it begins with 78 (\"x\")"));
  StartEvidence died = evidence(StartCause::exited, "");
  died.exit = {1, 0};
  died.ping_bytes = died.unread_bytes = 100;
  CHECK(contains(explain_start({0, 0}, died, {}, {}), "dead at start"));
  died.unread_bytes = 20;
  CHECK(contains(explain_start({0, 0}, died, {}, {}),
                 "had read 80 of the 100 bytes of its ping and exited with code 1 without an"));
}

TEST_CASE("pool: explain: an end has its number and its name") {
  CHECK(words(ExitStatus{3, 0}) == "exited with code 3");
  CHECK(words(ExitStatus{0, 15}) == "was ended by signal 15 (TERM)");
  CHECK(words(ExitStatus{0, 9}) == "was ended by signal 9 (KILL, perhaps out of memory)");
  CHECK(words(ExitStatus{0, 200}) == "was ended by signal 200 (?)");
  CHECK(contains(words(ExitStatus{-1, 0}), "how is not known: somebody else has reaped it"));
}

#include <cerrno>
#include <csignal>
#include <future>
#include <map>
#include <vector>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

struct BadStart {
  std::vector<std::string> argv;
  StartCause cause = StartCause::none;
  std::vector<std::string> words;  ///< of the message
};

std::vector<std::string> sh(const std::string& text) {
  return {"/bin/sh", "-c", text};
}
std::vector<std::string> fault_in_ping(const std::string& name) {
  return {POOLPROOF_FAKE_WORKER, "--fault", name, "--at", "request=0"};
}

std::map<std::string, BadStart> bad_starts() {
  return {
      {"no such program",
       {{"/no/such/program"},
        StartCause::exec_failed,
        {"worker 0.0 could not be started", "/no/such/program", "No such file or directory"}}},
      {"no program",
       {{"/etc/passwd"},
        StartCause::exec_failed,
        {"worker 0.0 could not be started", "/etc/passwd", "Permission denied"}}},
      {"exits",
       {sh("echo 'no module named x' >&2; exit 3"),
        StartCause::exited,
        {"exited with code 3 before it answered its ping", "its stderr ends: no module named x"}}},
      {"killed", {sh("kill -KILL $$"), StartCause::exited, {"ended by signal 9 (KILL"}}},
      {"usage, then exit",
       {sh("echo 'Usage: x'; exit 2"),
        StartCause::exited,
        {"exited with code 2", "on its stdout it had written", "Usage"}}},
      {"never reads",
       {sh("exec sleep 1000"),
        StartCause::ping_unread,
        {"had not answered when its start-up budget of 3000 ms was over", "its ping is unread"}}},
      {"stops reading",
       {sh("dd of=/dev/null bs=1 count=5 2>/dev/null; exec sleep 1000"),
        StartCause::ping_unread,
        {"stopped reading in the middle of its ping"}}},
      {"reads, says nothing",
       {sh("while read -r line; do :; done"),
        StartCause::ping_unanswered,
        {"answered nothing within 3000 ms, and nothing at end of input either"}}},
      {"reads, says nothing, stays",
       {sh("while read -r line; do :; done; exec sleep 1000"),
        StartCause::ping_unanswered,
        {"nor at end of input, which it outlived"}}},
      {"reads lines",
       {{POOLPROOF_FAKE_WORKER, "--fault", "input_read_as_lines"},
        StartCause::ping_unanswered,
        {"another framing"}}},
      {"never flushes",
       {fault_in_ping("reply_unflushed"),
        StartCause::reply_unflushed,
        {"never flushes", "waits for more input"}}},
      {"banner",
       {sh("echo 'Loading model...'; exec sleep 1000"),
        StartCause::text_on_stdout,
        {"wrote text on stdout", "Loading model"}}},
      {"line of JSON",
       {fault_in_ping("reply_unframed"), StartCause::reply_unframed, {"without a length prefix"}}},
      {"part of a frame",
       {sh("printf '\\000\\000\\000\\100{\"id\"'; exec sleep 1000"),
        StartCause::reply_incomplete,
        {"wrote 9 bytes that make no whole frame"}}},
      {"empty frame", {fault_in_ping("length_zero"), StartCause::bad_frame, {"00 00 00 00"}}},
      {"wrong id", {fault_in_ping("id_wrong"), StartCause::bad_frame, {"no reply to it"}}},
      {"refuses", {fault_in_ping("error_reply"), StartCause::refused, {"injected error"}}},
      {"closes stdout",
       {sh("exec 1>&-; exec sleep 1000"), StartCause::stdout_closed, {"closed its stdout"}}},
      {"closes stdin",
       {sh("exec 0<&-; exec sleep 1000"), StartCause::stdin_closed, {"closed its stdin"}}},
  };
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: start: every way to fail is told from the others") {
  std::map<std::string, std::pair<std::unique_ptr<Pool>, std::future<Result<Lease>>>> running;
  for (const auto& [title, bad] : bad_starts()) {
    Options options = program(bad.argv);
    options.core.breaker_failures = 1;
    options.core.startup_budget = 3s;
    options.core.postmortem_budget = 1s;
    auto pool = open(options);
    auto lease = std::async(std::launch::async, [&opened = *pool] { return opened.checkout(); });
    running[title] = {std::move(pool), std::move(lease)};
  }
  for (const auto& [title, bad] : bad_starts()) {
    const auto refused = running[title].second.get();
    CAPTURE(title);
    REQUIRE_FALSE(refused);
    CAPTURE(refused.error().message);
    CHECK(refused.error().kind == Outcome::start_failed);
    CHECK(refused.error().cause == bad.cause);
    CHECK(refused.error().worker == WorkerId{0, 0});
    CHECK(refused.error().retryable);
    for (const auto& words : bad.words) CHECK(contains(refused.error().message, words));
    CHECK(adds_up(running[title].first->statistics()));
  }
}

TEST_CASE_METHOD(PoolFixture, "host: start: an exit status comes with its start") {
  Options options = script("echo out of cheese in life $POOLPROOF_GENERATION >&2; exit 42");
  options.core.breaker_failures = 2;
  options.core.backoff_initial = 1ms;
  const auto refused = open(options)->checkout();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().exit == ExitStatus{42, 0});
  CHECK(refused.error().worker == WorkerId{0, 1});
  CHECK(refused.error().stderr_tail == "out of cheese in life 1\n");
}

TEST_CASE_METHOD(PoolFixture, "host: start: once the breaker is open a client fails at once") {
  Options options = program({"/no/such/program"});
  options.core.breaker_failures = 2;
  options.core.breaker_open = 1h;
  options.core.backoff_initial = 1ms;
  const auto pool = open(options);
  CHECK(outcome_of(pool->checkout()) == Outcome::start_failed);
  const auto starts = pool->statistics().counters.starts;
  CHECK(starts == 2);
  const auto refused = pool->checkout();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Outcome::start_failed);
  CHECK(contains(refused.error().message, "(2 starts in a row have failed)"));
  CHECK(pool->statistics().counters.starts == starts);
  CHECK(pool->statistics().gauges.breaker_open);
}

TEST_CASE_METHOD(PoolFixture, "host: start: a worker that fails twice and then starts is of use") {
  const std::string fake_worker = POOLPROOF_FAKE_WORKER;
  Options options = script("[ $POOLPROOF_GENERATION -ge 2 ] || exit 1; exec " + fake_worker);
  options.core.breaker_failures = 0;
  options.core.backoff_initial = 1ms;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 2});
  CHECK(echoes(lease, 1));
  CHECK(pool->statistics().counters.starts_failed == 2);
}

TEST_CASE_METHOD(PoolFixture, "host: start: the budget ends also while there is no process yet") {
  std::promise<void> opened;
  std::shared_future<void> gate = opened.get_future();
  Options options = fake();
  options.core.startup_budget = 50ms;
  options.core.breaker_failures = 1;
  options.core.breaker_open = 1h;
  options.command_for = [gate, command = options.command](WorkerId) {
    gate.wait();
    return command;
  };
  const auto pool = open(options);
  const auto refused = pool->checkout(300ms);
  REQUIRE_FALSE(refused);
  // Its own deadline ticks the Core too: by then the start has failed.
  CHECK(refused.error().kind == Outcome::start_failed);
  CHECK(refused.error().cause == StartCause::budget_spent);
  opened.set_value();
  // The process that comes too late is killed and reaped.
  REQUIRE(log.wait_for_events<pool::Exited>());
  const auto stops = log.effects<pool::Stop>();
  REQUIRE(stops.size() == 1);
  CHECK(stops[0].step == pool::StopStep::kill);
  CHECK(stops[0].why == pool::RemovalReason::budget_spent);
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: start: a worker that dies before it served is not rushed") {
  Options options = fake({"--fault", "exit_while_idle", "--at", "request=0"});
  options.core.start = pool::StartMode::eager;
  options.core.backoff_initial = 1h;
  options.core.backoff_max = 1h;
  const auto pool = open(options);
  REQUIRE(log.wait_for_events<pool::Exited>());
  CHECK(pool->statistics().counters.starts == 1);
  const auto refused = pool->checkout(1ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().phase == Phase::cooling);
}

TEST_CASE_METHOD(PoolFixture, "host: start: a slow start is waited for") {
  const auto pool = open(fake({"--fault", "import_slow", "--delay-ms", "300"}));
  Lease lease = leased(*pool);
  CHECK(echoes(lease, 1));
}

namespace {

/// A whole life, with `call`'s nth failing underneath: what it brought, and how often it struck.
std::uint32_t live_with(PoolFixture& fixture, sys::Call call, std::uint32_t nth, int errno_value) {
  const FailuresEnd over;
  Options options = fixture.fake({"--fault", "stderr_flood", "--at", "request=2"});
  options.core.startup_budget = 5s;
  options.core.backoff_initial = 1ms;
  options.core.breaker_failures = 0;
  sys::fail_next(call, nth, errno_value);
  auto pool = Pool::open(options);
  if (pool) {
    int good = 0;
    for (int number = 0; number < 6; ++number) {
      auto lease = (*pool)->checkout(20s);
      if (!lease) continue;
      for (int again = 0; again < 2; ++again) {
        if (lease->call("echo", {{"n", number}}, 5s)) ++good;
      }
    }
    CHECK(good >= 6);
    CHECK(adds_up((*pool)->statistics()));
    CHECK((*pool)->close(20s));
  }
  return sys::failures_struck();
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: start: what the kernel would not watch is watched later") {
  std::uint32_t struck = 0;
  for (std::uint32_t nth = 0; nth < 4; ++nth) {
    const FailuresEnd over;
    Options options = fake();
    // Next the reactor takes the worker over: its end, its stderr, its stdout.
    options.observer = [&, all = log.observer()](Time now, const pool::Event& event,
                                                 std::span<const pool::Effect> effects) {
      all(now, event, effects);
      if (std::holds_alternative<pool::Started>(event))
        sys::fail_next(sys::Call::epoll, nth, ENOMEM);
    };
    const auto pool = open(options);
    Lease lease = leased(*pool);
    CHECK(echoes(lease, 1));
    REQUIRE(pool->signal(lease.worker(), SIGKILL));
    REQUIRE(log.wait_for_events<pool::Exited>(nth + 1));
    struck += sys::failures_struck();
    CHECK(pool->close(kHang));
  }
  CHECK(struck >= 3);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: start: whichever system call fails, the pool lives or says so") {
  std::uint32_t struck = 0;
  for (std::size_t kind = 0; kind < static_cast<std::size_t>(sys::Call::count); ++kind) {
    const auto call = static_cast<sys::Call>(kind);
    std::uint32_t of_this_kind = 0;
    for (std::uint32_t nth = 0; nth < 8; ++nth) {
      CAPTURE(kind, nth);
      of_this_kind += live_with(*this, call, nth, nth % 2 == 0 ? ENOMEM : EMFILE);
    }
    CAPTURE(kind);
    // A worker that obeys is never signalled more than once, and never looked into.
    if (call != sys::Call::ioctl) CHECK(of_this_kind > 0);
    struck += of_this_kind;
  }
  CHECK(struck > 40);
}

TEST_CASE_METHOD(PoolFixture, "host: start: which worker it is, it is told by its pool alone") {
  const Folder folder;
  const std::string seen = folder.file("seen");
  Options options = script("tr '\\0' '\\n' </proc/$$/environ >'" + seen + ".new'; mv '" + seen +
                           ".new' '" + seen + "'; exec cat");
  options.opaque = true;
  options.command.env.insert(options.command.env.begin(),
                             {"POOLPROOF_SLOT=77", "POOLPROOF_GENERATION=", "POOLPROOF_SLOTS=5"});
  const auto pool = open(options);
  Lease lease = leased(*pool);
  REQUIRE(appears(seen));
  std::stringstream all;
  all << '\n' << std::ifstream(seen).rdbuf();
  CHECK(contains(all.str(), "\nPOOLPROOF_SLOT=0\n"));
  CHECK(contains(all.str(), "\nPOOLPROOF_GENERATION=0\n"));
  CHECK(contains(all.str(), "\nPOOLPROOF_SLOTS=5\n"));
  CHECK_FALSE(contains(all.str(), "=77"));
  CHECK_FALSE(contains(all.str(), "GENERATION=\n"));
}

TEST_CASE_METHOD(PoolFixture, "host: start: a command_for that throws is a start that failed") {
  Options options = fake();
  const bool usual = GENERATE(true, false);
  options.command_for = [usual](WorkerId) -> Command {
    if (usual) throw std::runtime_error("no \x1b plan");
    throw 7;
  };
  options.core.breaker_failures = 1;
  const auto pool = open(options);
  const auto refused = pool->checkout();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Outcome::start_failed);
  CHECK(contains(refused.error().message,
                 usual ? "could not be started: command_for threw: no \\x1b plan"
                       : "command_for threw: an exception that is no std::exception"));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: start: what the pool answers to a worker is not its greeting") {
  const Folder folder;
  const std::string answered = folder.file("answered");
  // It asks, reads its greeting and leaves the answer where it is.
  Options options = program({"/bin/bash", "-c",
                             R"(echo '{"jsonrpc":"2.0","id":"s1","method":"ping"}'; read -r ping
                             until read -t 0; do sleep 0.01; done; : >)" +
                                 answered + "; exec sleep 1000"});
  options.framing.wire = wire::Wire::lines;
  options.speech = wire::Speech::mcp;
  const auto pool = open(options);
  CHECK(outcome_of(pool->checkout(1ms)) == Outcome::checkout_timeout);
  REQUIRE(appears(answered));
  CHECK(comes_true([&] {
    const auto refused = pool->checkout(1ms);
    return !refused &&
           contains(refused.error().message, "it has read its initialize and not answered");
  }));
}

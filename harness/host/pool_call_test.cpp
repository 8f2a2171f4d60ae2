#include <array>
#include <cerrno>
#include <csignal>
#include <future>
#include <vector>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

/// The worker has read this request and begun to work on it.
bool has_read(const std::string& journal, std::uint64_t request) {
  return PoolFixture::comes_true([&] {
    for (const auto& line : read_journal(journal)) {
      const bool read = line.record.kind == faults::JournalRecord::Kind::read;
      if (read && line.record.request == request) return true;
    }
    return false;
  });
}

/// The worker was taken out of service, and its place serves again.
void check_replaced(Pool& pool, const Lease& ended) {
  CHECK(ended.in_doubt());
  CHECK(pool.statistics().gauges.leased == 0);
  Lease next = leased(pool);
  CHECK(next.worker().generation == ended.worker().generation + 1);
  CHECK(echoes(next, 7));
  // Who is first to see a worker's end, its client or the pool, is open.
  const auto counters = pool.statistics().counters;
  CHECK(counters.returned_dirty + counters.lost == 1);
  next.checkin();
  CHECK(adds_up(pool.statistics()));
}

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: call: an error reply is the answer, and the worker stays") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  const auto reply = lease.call("fail", {{"message", "no luck"}});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::worker_error);
  CHECK(contains(reply.error().message, "worker 0.0 (pid"));
  CHECK(contains(reply.error().message, "answered \"fail\" with an error: no luck"));
  CHECK(reply.error().worker == WorkerId{0, 0});
  CHECK_FALSE(lease.in_doubt());
  CHECK(echoes(lease, 1));
  CHECK(lease.checkin());
  CHECK(leased(*pool).worker() == WorkerId{0, 0});
}

TEST_CASE_METHOD(PoolFixture, "host: call: what never reached the worker costs nothing") {
  const Folder folder;
  Options options = fake({"--journal", folder.file("journal")});
  options.framing.max_frame_bytes = 1000;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  SECTION("too large a request") {
    const auto reply = lease.call("echo", {{"text", std::string(1000, 'x')}});
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::request_too_large);
  }
  SECTION("bytes, where the pool speaks in envelopes") {
    const auto reply = lease.call_bytes("hello");
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::protocol_error);
    CHECK(contains(reply.error().message, "payloads are envelopes, and take call; nothing was"));
    CHECK_FALSE(reply.error().retryable);
  }
  SECTION("arguments that are no object") {
    const auto reply = lease.call("echo", json::array({1, 2}));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::protocol_error);
    CHECK(contains(reply.error().message, "its arguments are of type array, not an object"));
  }
  SECTION("no time at all") {
    const auto reply = lease.call("echo", {{"n", 1}}, 0ms);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::call_timeout);
    CHECK(reply.error().phase == Phase::writing_request);
    CHECK(reply.error().retryable);
  }
  SECTION("called off before it began") {
    std::stop_source stop;
    stop.request_stop();
    const auto reply = lease.call("echo", {{"n", 1}}, {}, stop.get_token());
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::cancelled);
    CHECK(reply.error().retryable);
  }
  CHECK(lease.written_bytes() == 0);
  CHECK_FALSE(lease.in_doubt());
  CHECK(echoes(lease, 2));
  CHECK(lease.worker() == WorkerId{0, 0});
  std::vector<std::int64_t> ids;
  for (const auto& line : read_journal(folder.file("journal"))) {
    if (line.record.kind == faults::JournalRecord::Kind::read) ids.push_back(*line.record.id);
  }
  CHECK(ids == std::vector<std::int64_t>{0, 1});
}

TEST_CASE_METHOD(PoolFixture,
                 "host: call: a timeout takes the worker out and spares the next client") {
  const bool late = GENERATE(false, true);
  const auto pool =
      open(fake(late ? once({"reply_late", "--delay-ms", "300"}) : once({"reply_dropped"})));
  Lease lease = leased(*pool);
  const Time before = sys::now();
  const auto reply = lease.call("echo", {{"n", 1}}, 100ms);
  const Duration waited = sys::now() - before;
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::call_timeout);
  CHECK(reply.error().phase == Phase::awaiting_reply);
  CHECK(contains(reply.error().message, "\"echo\" on worker 0.0 (pid"));
  CHECK(contains(reply.error().message, "after 100 ms"));
  CHECK_FALSE(reply.error().retryable);
  CHECK(waited >= 100ms);
  CHECK(waited < 20s);
  CHECK(lease.written_bytes() > 0);
  check_replaced(*pool, lease);
  CHECK_FALSE(lease.checkin());
  CHECK(outcome_of(echo(lease, 2)) == Outcome::lease_over);
}

TEST_CASE_METHOD(PoolFixture, "host: call: a call in flight can be called off") {
  const Folder folder;
  const auto pool = open(fake({"--journal", folder.file("journal")}));
  Lease lease = leased(*pool);
  std::stop_source stop;
  auto call = std::async(std::launch::async, [&] {
    return lease.call("sleep", {{"ms", 600'000}}, kHang * 2, stop.get_token());
  });
  REQUIRE(has_read(folder.file("journal"), 1));
  stop.request_stop();
  const auto reply = call.get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::cancelled);
  CHECK_FALSE(reply.error().retryable);
  check_replaced(*pool, lease);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: call: it can be called off also when descriptors have run out") {
  const FailuresEnd over;
  const Folder folder;
  const auto pool = open(fake({"--journal", folder.file("journal")}));
  Lease lease = leased(*pool);
  std::stop_source stop;
  sys::fail_next(sys::Call::eventfd, 0, EMFILE);
  auto call = std::async(std::launch::async, [&] {
    return lease.call("sleep", {{"ms", 600'000}}, kHang * 10, stop.get_token());
  });
  REQUIRE(has_read(folder.file("journal"), 1));
  stop.request_stop();
  const bool noticed = call.wait_for(kHang) == std::future_status::ready;
  CHECK(noticed);
  if (!noticed) pool->signal(lease.worker(), SIGKILL);
  CHECK(outcome_of(call.get()) == Outcome::cancelled);
  CHECK(sys::failures_struck() == 1);
}

TEST_CASE_METHOD(PoolFixture, "host: call: a worker killed at any moment never hangs its caller") {
  const auto pool = open(fake());
  for (std::uint32_t round = 0; round < 10; ++round) {
    Lease lease = leased(*pool);
    std::thread killer([&] { pool->signal(lease.worker(), SIGKILL); });
    const auto outcome = outcome_of(echo(lease, 1));
    killer.join();
    CHECK((outcome == Outcome::ok || outcome == Outcome::stale_worker ||
           outcome == Outcome::worker_died));
    lease.discard();
  }
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: call: an opaque pool refuses an envelope, and serves on") {
  Options options = script("exec cat");
  options.opaque = true;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const auto reply = lease.call("echo", {{"n", 1}});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::protocol_error);
  CHECK(
      contains(reply.error().message, "\"echo\": the pool's payloads are opaque, and take call_"));
  CHECK(lease.written_bytes() == 0);
  CHECK_FALSE(lease.in_doubt());
  CHECK(lease.call_bytes("hello").value_or("") == "hello");
  CHECK(lease.checkin());
}

TEST_CASE_METHOD(PoolFixture, "host: call: arguments may be left out, written in place or kept") {
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  const json kept = {{"n", 3}};
  CHECK(*lease.call("echo", {}).value().result == json::object());
  CHECK(*lease.call("echo", {{"n", 1}, {"m", {1, 2}}}).value().result ==
        json({{"n", 1}, {"m", {1, 2}}}));
  CHECK(*lease.call("echo", kept).value().result == kept);
}

TEST_CASE_METHOD(PoolFixture, "host: call: a death tells its exit code and last words") {
  Options options =
      script("dd of=/dev/null bs=4096 count=1 2>/dev/null; echo last words >&2; exit 7");
  options.opaque = true;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const auto reply = lease.call_bytes("hello");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::worker_died);
  CHECK(reply.error().exit == ExitStatus{7, 0});
  CHECK(reply.error().stderr_tail == "last words\n");
  CHECK(contains(reply.error().message, "exited with code 7 during \"bytes\""));
  CHECK(contains(reply.error().message, "its stderr ends: last words"));
  CHECK_FALSE(reply.error().retryable);
  CHECK(lease.in_doubt());
}

TEST_CASE_METHOD(PoolFixture, "host: call: a look at a dead worker that fails is taken again") {
  const FailuresEnd over;
  Options options = script("dd of=/dev/null bs=4096 count=1 2>/dev/null; exit 7");
  options.opaque = true;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const auto which = GENERATE(0U, 1U, 2U);  // the look, the one before KILL, the reaping
  sys::fail_next(sys::Call::waitid, which, ENOMEM);
  const auto reply = lease.call_bytes("hello");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().exit == ExitStatus{7, 0});
  CHECK(sys::failures_struck() == 1);
}

TEST_CASE_METHOD(PoolFixture, "host: call: a reply and a death at once are a reply") {
  const auto pool = open(fake({"--fault", "exit_while_idle", "--at", "request=1"}));
  for (int round = 0; round < 50; ++round) {
    Lease lease = leased(*pool);
    CHECK(echoes(lease, round));
    lease.discard();  // or the next round may ask one that is about to go
  }
  CHECK(adds_up(pool->statistics()));
}

TEST_CASE_METHOD(PoolFixture, "host: call: who was there when a worker died waits to hear why") {
  std::promise<void> opened;  // till then the reactor is held up, and hears of no death
  std::shared_future<void> gate = opened.get_future();
  Options options =
      script("dd of=/dev/null bs=4096 count=1 2>/dev/null; echo last words >&2; exit 7");
  options.opaque = true;
  options.core.size = 2;
  options.command_for = [gate, command = options.command](WorkerId worker) {
    if (worker.slot == 1) gate.wait();
    return command;
  };
  const auto pool = open(options);
  Lease lease = leased(*pool);
  CHECK(outcome_of(pool->checkout(1ms)) == Outcome::checkout_timeout);
  auto call = std::async(std::launch::async, [&] { return lease.call_bytes("hello"); });
  CHECK(call.wait_for(500ms) == std::future_status::timeout);
  opened.set_value();
  const auto reply = call.get();
  REQUIRE_FALSE(reply);
  CHECK(reply.error().exit == ExitStatus{7, 0});
  CHECK(reply.error().stderr_tail == "last words\n");
}

TEST_CASE_METHOD(PoolFixture, "host: call: a death tells its signal") {
  const auto pool = open(fake(once({"killed_mid_call"})));
  Lease lease = leased(*pool);
  const auto reply = echo(lease, 1);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::worker_died);
  CHECK(reply.error().exit == ExitStatus{0, SIGKILL});
  CHECK(contains(reply.error().message, "was ended by signal 9 (KILL"));
  Lease next = leased(*pool);
  CHECK(echoes(next, 2));
}

TEST_CASE_METHOD(PoolFixture, "host: call: a pipe that closes is named, if the worker lives on") {
  const Folder folder;
  const std::string closed = folder.file("closed");
  SECTION("stdout") {
    const auto pool = open(fake(once({"stdout_closed"})));
    Lease lease = leased(*pool);
    CHECK(outcome_of(echo(lease, 1)) == Outcome::stdout_closed);
    check_replaced(*pool, lease);
  }
  SECTION("stdin") {
    Options options = script("[ $POOLPROOF_GENERATION = 0 ] || exec cat; exec 0<&-; : > '" +
                             closed + "'; exec sleep 1000");
    options.opaque = true;
    const auto pool = open(options);
    Lease lease = leased(*pool);
    REQUIRE(appears(closed));
    const auto reply = lease.call_bytes("hello");
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::stdin_closed);
    CHECK(reply.error().retryable);
    CHECK(lease.in_doubt());
    CHECK(leased(*pool).worker() == WorkerId{0, 1});
  }
  SECTION("stdout, and then it exits") {
    Options options = script("dd of=/dev/null bs=4096 count=1 2>/dev/null; exec 1>&-; exit 5");
    options.opaque = true;
    const auto pool = open(options);
    const auto reply = leased(*pool).call_bytes("hello");
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::worker_died);
    CHECK(reply.error().exit == ExitStatus{5, 0});
  }
}

TEST_CASE_METHOD(PoolFixture, "host: call: what is no reply is shown") {
  struct Wrong {
    std::vector<std::string> fault;
    std::string words;
  };
  const Wrong wrong =
      GENERATE(Wrong{{"reply_truncated"}, "reply truncated"}, Wrong{{"length_huge"}, "7f ff ff ff"},
               Wrong{{"length_zero"}, "00 00 00 00"},
               Wrong{{"text_before_reply", "--text", "Warning: slow path\n"}, "57 61 72 6e"},
               Wrong{{"json_deep"}, ""}, Wrong{{"id_wrong"}, ""}, Wrong{{"utf8_invalid"}, ""});
  const auto pool = open(fake(once(wrong.fault)));
  Lease lease = leased(*pool);
  const auto reply = echo(lease, 1);
  CAPTURE(wrong.fault[0]);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::protocol_error);
  CHECK(contains(reply.error().message, wrong.words));
  CHECK_FALSE(reply.error().first_bytes.empty());
  check_replaced(*pool, lease);
}

TEST_CASE_METHOD(PoolFixture, "host: call: a flood of what a worker may say hides no deadline") {
  Options options = script(R"(read request; exec yes '{"jsonrpc":"2.0","method":"event"}')");
  options.framing.wire = wire::Wire::lines;
  options.speech = wire::Speech::json_rpc;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  const auto reply = lease.call("echo", {}, 300ms);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::call_timeout);
  CHECK(lease.in_doubt());
}

TEST_CASE_METHOD(PoolFixture, "host: call: a good reply with something after it costs the worker") {
  const auto pool = open(fake(once({"reply_twice"})));
  Lease lease = leased(*pool);
  CHECK(echoes(lease, 1));
  check_replaced(*pool, lease);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: call: a worker that does not read holds up only its own caller") {
  const Folder folder;
  const std::string begun = folder.file("begun");
  Options options = cat();
  options.core.size = 2;
  options.command_for = [&begun, sound = options.command](WorkerId worker) {
    Command deaf = sound;
    deaf.argv = {"/bin/sh", "-c",
                 "dd of=/dev/null bs=1 count=1 2>/dev/null; : > '" + begun + "'; exec sleep 1000"};
    return worker.slot == 0 ? deaf : sound;
  };
  const auto pool = open(options);
  Lease deaf = leased(*pool);
  Lease sound = leased(*pool);
  REQUIRE(deaf.worker().slot == 0);
  const std::string request(2'000'000, 'x');
  SECTION("who goes on meanwhile") {
    std::stop_source stop;
    auto stuck = std::async(std::launch::async,
                            [&] { return deaf.call_bytes(request, kHang * 2, stop.get_token()); });
    REQUIRE(appears(begun));
    for (int i = 0; i < 100; ++i) CHECK(sound.call_bytes("quick").value_or("") == "quick");
    CHECK(stuck.wait_for(0s) == std::future_status::timeout);
    stop.request_stop();
    const auto reply = stuck.get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::cancelled);
    CHECK(reply.error().phase == Phase::writing_request);
  }
  SECTION("until its deadline") {
    const auto reply = deaf.call_bytes(request, 100ms);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::call_timeout);
    CHECK(reply.error().phase == Phase::writing_request);
  }
  CHECK(deaf.written_bytes() > 0);
  CHECK(deaf.written_bytes() < request.size());
  CHECK(deaf.in_doubt());
  CHECK_FALSE(deaf.checkin());
}

TEST_CASE_METHOD(PoolFixture, "host: call: reading goes on while writing") {
  const auto pool = open(cat());
  Lease lease = leased(*pool);
  std::string request(4'000'000, 'x');
  for (std::size_t i = 0; i < request.size(); ++i) request[i] = static_cast<char>(i * 31 % 251);
  for (int i = 0; i < 3; ++i) {
    const auto reply = lease.call_bytes(request);
    REQUIRE(reply);
    CHECK((*reply == request));
  }
  CHECK_FALSE(lease.in_doubt());
  CHECK(lease.written_bytes() == request.size() + 4);
}

TEST_CASE_METHOD(PoolFixture,
                 "host: call: a flood on stderr holds nobody up, and its end is kept") {
  Options options = fake(once({"stderr_flood", "--text-bytes", "1000000"}));
  options.stderr_tail_bytes = 1000;
  const auto pool = open(options);
  Lease lease = leased(*pool);
  CHECK(echoes(lease, 1));
  const auto reply = lease.call("fail", json::object());
  REQUIRE_FALSE(reply);
  CHECK(reply.error().stderr_tail.size() <= 1000);
  CHECK(echoes(lease, 2));
}

TEST_CASE_METHOD(PoolFixture,
                 "host: call: a grandchild that holds the pipes delays no news of a death") {
  const bool escaped = GENERATE(false, true);
  const Folder folder;
  const std::string left = folder.file("left");
  const std::string run =
      (escaped ? "setsid sh -c ': > " : "sh -c ': > ") + left + "; exec sleep 1000' & ";
  Options options = script(run + "dd of=/dev/null bs=4096 count=1 2>/dev/null; exit 9");
  options.opaque = true;
  const auto pool = open(options);
  {
    Lease lease = leased(*pool);
    REQUIRE(appears(left));
    const auto reply = lease.call_bytes("hello");
    REQUIRE_FALSE(reply);
    CHECK(reply.error().kind == Outcome::worker_died);
    CHECK(reply.error().exit == ExitStatus{9, 0});
  }
  CHECK(pool->close(kHang));
  // Groups do not reach who has left them; only the guardian does.
  if (escaped) CHECK(kill_marked(token()) == 1);
  CHECK(comes_true([&] { return processes_marked(token()).empty(); }));
}

#include "harness/trace/timeline.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "harness/trace/jsonl_testing.hpp"

namespace poolproof::trace {
namespace {

TEST_CASE("trace: timeline: a run reads as a story") {
  CHECK(std::string("\n").append(timeline(every_record())) == R"(
       0.000  os           census before: 1 children, 0 zombies, 12 descriptors, 3 threads
       2.000  worker 0.1   started, pid 4711
       3.500  worker 0.1   read request 1: echo a:1
       5.000  worker 0.1   wrote 82 bytes for request 1
       6.500  worker 0.1   fault reply_late (f0) strikes at request 1
       8.000  worker 0.1   saw the end of stdin
       9.000  client a     checkout: granted worker 0.1 after 8.000 ms
       9.500  worker 0.1   received TERM
      11.000  worker 0.1   left process 4712 behind
      12.500  worker 0.1   exits with code 1
      14.000  worker 0.1   the worker: frame length 0 is not allowed
      15.500  worker 0.1   was told to exit
     110.250  client a     call echo a:1: call_timeout (awaiting_reply), cause exited after 100.250 ms, stream in doubt: no reply: "\x1b[31m\né
     120.000  client b     checkin: skipped
     130.000  environment  signal 9 to worker 0.1
     131.000  environment  signal 15 to worker 0.2: not there
     140.000  pool         checkout_requested #1
     140.001  pool         checkout_cancelled #2
     140.002  pool         checked_in lease 3 clean
     140.003  pool         lease_revoked lease 4
     140.004  pool         started 1.2
     140.005  pool         start_failed 1.2
     140.006  pool         handshake_ended 1.2: text_on_stdout
     140.007  pool         unsolicited_output 1.2
     140.008  pool         exited 1.2 with code 7
     140.010  pool         close_requested
     140.011  pool         checked_in lease 3 clean
     140.012  pool         renew_requested
     140.013  pool         suspend_requested
     140.014  pool         resume_requested
     140.015  pool         ping_ended 1.2
     140.016  pool         checked_in lease 3 clean
     140.017  pool         memory_measured 1.2 -> grant #1 1.2 lease 18446744073709551615, refuse #5: start_failed (cooling), start 1.2, handshake 1.2, stop ask (closing) 1.2, stop end_of_input (closing) 1.2, stop kill (budget_spent) 1.2, stop ask (calls_spent) 1.2, stop ask (lifetime_over) 1.2, stop ask (idle_too_long) 1.2, stop ask (renewed) 1.2, forget 1.2, stop term (ping_failed) 1.2, closed, ping 1.2, stop ask (rss_exc... (430 bytes)
     200.000  os           census after: 2 children, 1 zombies, 13 descriptors, 4 threads; still there: pid 4712 (sleep 60)
)");
}

TEST_CASE("trace: timeline: twenty lines at most, and those that matter") {
  const std::string text = timeline(every_record(), 8);
  CHECK("\n" + text == R"(
       6.500  worker 0.1   fault reply_late (f0) strikes at request 1
      14.000  worker 0.1   the worker: frame length 0 is not allowed
     110.250  client a     call echo a:1: call_timeout (awaiting_reply), cause exited after 100.250 ms, stream in doubt: no reply: "\x1b[31m\né
     130.000  environment  signal 9 to worker 0.1
     131.000  environment  signal 15 to worker 0.2: not there
     140.017  pool         memory_measured 1.2 -> grant #1 1.2 lease 18446744073709551615, refuse #5: start_failed (cooling), start 1.2, handshake 1.2, stop ask (closing) 1.2, stop end_of_input (closing) 1.2, stop kill (budget_spent) 1.2, stop ask (calls_spent) 1.2, stop ask (lifetime_over) 1.2, stop ask (idle_too_long) 1.2, stop ask (renewed) 1.2, forget 1.2, stop term (ping_failed) 1.2, closed, ping 1.2, stop ask (rss_exc... (430 bytes)
     200.000  os           census after: 2 children, 1 zombies, 13 descriptors, 4 threads; still there: pid 4712 (sleep 60)
... 27 more
)");
  CHECK(std::count(text.begin(), text.end(), '\n') == 8);
}

TEST_CASE("trace: timeline: nothing happened, nothing is said; no room, only the count") {
  CHECK(timeline({}).empty());
  CHECK(timeline({}, 0).empty());
  CHECK(timeline(every_record(), 1) == "... 34 more\n");
}

TEST_CASE("trace: timeline: an end is told as it is known") {
  const auto told = [](ExitStatus status) {
    Trace trace;
    trace.pool.push_back({Time{}, pool::Exited{{0, 1}, status}, {}});
    const std::string text = timeline(trace);
    return text.substr(text.find("exited"));
  };
  CHECK(told({7, 0}) == "exited 0.1 with code 7\n");
  CHECK(told({0, 9}) == "exited 0.1 by signal 9\n");
  CHECK(told({-1, 0}) == "exited 0.1, how is not known\n");
}

TEST_CASE("trace: timeline: what comes from a worker is safe on a terminal") {
  Trace trace;
  trace.clients.push_back(a_call());
  trace.clients[0].client = "a\nb";
  trace.clients[0].message = "\x1b[2J\x07";
  const std::string text = timeline(trace);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

}  // namespace
}  // namespace poolproof::trace

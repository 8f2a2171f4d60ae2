#include "harness/host/prometheus.hpp"

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

namespace poolproof::host {
namespace {

/// Each number differs from the others.
Statistics sample() {
  Statistics now;
  pool::Counters& counted = now.counters;
  counted.requested = 101;
  counted.granted = 102;
  std::uint64_t refused = 110;
  for (auto& number : counted.refused) number = refused++;
  counted.returned_clean = 103;
  counted.returned_dirty = 104;
  counted.revoked = 105;
  counted.lost = 106;
  counted.starts = 107;
  counted.starts_failed = 108;
  counted.forgotten = 109;
  counted.breaker_opened = 130;
  counted.ignored = 131;
  pool::Gauges& gauges = now.gauges;
  gauges.vacant = 201;
  gauges.starting = 202;
  gauges.handshake = 203;
  gauges.idle = 204;
  gauges.leased = 205;
  gauges.leaving = 206;
  gauges.waiting = 207;
  gauges.sessions = 208;
  gauges.pinging = 209;
  gauges.suspended = true;
  now.leaks.resize(2);
  now.events_lost = 301;
  for (const Duration span : {0us, 1us, 2us, 3us, 1024us}) now.timings.wait.add(span);
  now.timings.use.add(5s);
  now.timings.use.add(24h);
  return now;
}

constexpr std::string_view kGolden = R"(# HELP poolproof_checkouts_total Checkouts asked for.
# TYPE poolproof_checkouts_total counter
poolproof_checkouts_total 101
# HELP poolproof_checkouts_granted_total Checkouts that got a worker.
# TYPE poolproof_checkouts_granted_total counter
poolproof_checkouts_granted_total 102
# HELP poolproof_checkouts_refused_total Checkouts that got none, by the reason.
# TYPE poolproof_checkouts_refused_total counter
poolproof_checkouts_refused_total{reason="checkout_timeout"} 112
poolproof_checkouts_refused_total{reason="queue_full"} 113
poolproof_checkouts_refused_total{reason="start_failed"} 114
poolproof_checkouts_refused_total{reason="pool_closed"} 115
poolproof_checkouts_refused_total{reason="cancelled"} 116
poolproof_checkouts_refused_total{reason="worker_busy"} 117
poolproof_checkouts_refused_total{reason="worker_gone"} 118
poolproof_checkouts_refused_total{reason="sessions_full"} 119
# HELP poolproof_waiting Clients that wait for a worker.
# TYPE poolproof_waiting gauge
poolproof_waiting 207
# HELP poolproof_sessions Sessions that go on.
# TYPE poolproof_sessions gauge
poolproof_sessions 208
# HELP poolproof_leases_ended_total Leases that are over, by their end.
# TYPE poolproof_leases_ended_total counter
poolproof_leases_ended_total{end="clean"} 103
poolproof_leases_ended_total{end="dirty"} 104
poolproof_leases_ended_total{end="revoked"} 105
poolproof_leases_ended_total{end="lost"} 106
# HELP poolproof_leases_leaked Leases held for longer than leak_after.
# TYPE poolproof_leases_leaked gauge
poolproof_leases_leaked 2
# HELP poolproof_workers Workers, by what they do.
# TYPE poolproof_workers gauge
poolproof_workers{state="starting"} 202
poolproof_workers{state="handshake"} 203
poolproof_workers{state="idle"} 204
poolproof_workers{state="pinging"} 209
poolproof_workers{state="leased"} 205
poolproof_workers{state="leaving"} 206
# HELP poolproof_slots_vacant Slots without a worker.
# TYPE poolproof_slots_vacant gauge
poolproof_slots_vacant 201
# HELP poolproof_starts_total Workers ordered to start.
# TYPE poolproof_starts_total counter
poolproof_starts_total 107
# HELP poolproof_starts_failed_total Workers that did not get through their start.
# TYPE poolproof_starts_failed_total counter
poolproof_starts_failed_total 108
# HELP poolproof_workers_gone_total Workers that are over.
# TYPE poolproof_workers_gone_total counter
poolproof_workers_gone_total 109
# HELP poolproof_breaker_opened_total Times that starts were given up for a while, since they kept failing.
# TYPE poolproof_breaker_opened_total counter
poolproof_breaker_opened_total 130
# HELP poolproof_breaker_open Whether starts are given up for a while.
# TYPE poolproof_breaker_open gauge
poolproof_breaker_open 0
# HELP poolproof_suspended Whether nobody is served.
# TYPE poolproof_suspended gauge
poolproof_suspended 1
# HELP poolproof_closing Whether the pool closes or is closed.
# TYPE poolproof_closing gauge
poolproof_closing 0
# HELP poolproof_ignored_total Events that came too late or out of place.
# TYPE poolproof_ignored_total counter
poolproof_ignored_total 131
# HELP poolproof_events_lost_total Events that on_event was too slow for.
# TYPE poolproof_events_lost_total counter
poolproof_events_lost_total 301
# HELP poolproof_checkout_wait_seconds From a checkout's request to its grant.
# TYPE poolproof_checkout_wait_seconds histogram
poolproof_checkout_wait_seconds_bucket{le="0.000001"} 2
poolproof_checkout_wait_seconds_bucket{le="0.000002"} 3
poolproof_checkout_wait_seconds_bucket{le="0.000004"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000008"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000016"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000032"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000064"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000128"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000256"} 4
poolproof_checkout_wait_seconds_bucket{le="0.000512"} 4
poolproof_checkout_wait_seconds_bucket{le="0.001024"} 5
poolproof_checkout_wait_seconds_bucket{le="0.002048"} 5
poolproof_checkout_wait_seconds_bucket{le="0.004096"} 5
poolproof_checkout_wait_seconds_bucket{le="0.008192"} 5
poolproof_checkout_wait_seconds_bucket{le="0.016384"} 5
poolproof_checkout_wait_seconds_bucket{le="0.032768"} 5
poolproof_checkout_wait_seconds_bucket{le="0.065536"} 5
poolproof_checkout_wait_seconds_bucket{le="0.131072"} 5
poolproof_checkout_wait_seconds_bucket{le="0.262144"} 5
poolproof_checkout_wait_seconds_bucket{le="0.524288"} 5
poolproof_checkout_wait_seconds_bucket{le="1.048576"} 5
poolproof_checkout_wait_seconds_bucket{le="2.097152"} 5
poolproof_checkout_wait_seconds_bucket{le="4.194304"} 5
poolproof_checkout_wait_seconds_bucket{le="8.388608"} 5
poolproof_checkout_wait_seconds_bucket{le="16.777216"} 5
poolproof_checkout_wait_seconds_bucket{le="33.554432"} 5
poolproof_checkout_wait_seconds_bucket{le="67.108864"} 5
poolproof_checkout_wait_seconds_bucket{le="134.217728"} 5
poolproof_checkout_wait_seconds_bucket{le="+Inf"} 5
poolproof_checkout_wait_seconds_sum 0.00103
poolproof_checkout_wait_seconds_count 5
# HELP poolproof_lease_use_seconds From a lease's grant to its end.
# TYPE poolproof_lease_use_seconds histogram
poolproof_lease_use_seconds_bucket{le="0.000001"} 0
poolproof_lease_use_seconds_bucket{le="0.000002"} 0
poolproof_lease_use_seconds_bucket{le="0.000004"} 0
poolproof_lease_use_seconds_bucket{le="0.000008"} 0
poolproof_lease_use_seconds_bucket{le="0.000016"} 0
poolproof_lease_use_seconds_bucket{le="0.000032"} 0
poolproof_lease_use_seconds_bucket{le="0.000064"} 0
poolproof_lease_use_seconds_bucket{le="0.000128"} 0
poolproof_lease_use_seconds_bucket{le="0.000256"} 0
poolproof_lease_use_seconds_bucket{le="0.000512"} 0
poolproof_lease_use_seconds_bucket{le="0.001024"} 0
poolproof_lease_use_seconds_bucket{le="0.002048"} 0
poolproof_lease_use_seconds_bucket{le="0.004096"} 0
poolproof_lease_use_seconds_bucket{le="0.008192"} 0
poolproof_lease_use_seconds_bucket{le="0.016384"} 0
poolproof_lease_use_seconds_bucket{le="0.032768"} 0
poolproof_lease_use_seconds_bucket{le="0.065536"} 0
poolproof_lease_use_seconds_bucket{le="0.131072"} 0
poolproof_lease_use_seconds_bucket{le="0.262144"} 0
poolproof_lease_use_seconds_bucket{le="0.524288"} 0
poolproof_lease_use_seconds_bucket{le="1.048576"} 0
poolproof_lease_use_seconds_bucket{le="2.097152"} 0
poolproof_lease_use_seconds_bucket{le="4.194304"} 0
poolproof_lease_use_seconds_bucket{le="8.388608"} 1
poolproof_lease_use_seconds_bucket{le="16.777216"} 1
poolproof_lease_use_seconds_bucket{le="33.554432"} 1
poolproof_lease_use_seconds_bucket{le="67.108864"} 1
poolproof_lease_use_seconds_bucket{le="134.217728"} 1
poolproof_lease_use_seconds_bucket{le="+Inf"} 2
poolproof_lease_use_seconds_sum 86405
poolproof_lease_use_seconds_count 2
# HELP poolproof_worker_start_seconds From the order to start a worker to its good init ping.
# TYPE poolproof_worker_start_seconds histogram
poolproof_worker_start_seconds_bucket{le="0.000001"} 0
poolproof_worker_start_seconds_bucket{le="0.000002"} 0
poolproof_worker_start_seconds_bucket{le="0.000004"} 0
poolproof_worker_start_seconds_bucket{le="0.000008"} 0
poolproof_worker_start_seconds_bucket{le="0.000016"} 0
poolproof_worker_start_seconds_bucket{le="0.000032"} 0
poolproof_worker_start_seconds_bucket{le="0.000064"} 0
poolproof_worker_start_seconds_bucket{le="0.000128"} 0
poolproof_worker_start_seconds_bucket{le="0.000256"} 0
poolproof_worker_start_seconds_bucket{le="0.000512"} 0
poolproof_worker_start_seconds_bucket{le="0.001024"} 0
poolproof_worker_start_seconds_bucket{le="0.002048"} 0
poolproof_worker_start_seconds_bucket{le="0.004096"} 0
poolproof_worker_start_seconds_bucket{le="0.008192"} 0
poolproof_worker_start_seconds_bucket{le="0.016384"} 0
poolproof_worker_start_seconds_bucket{le="0.032768"} 0
poolproof_worker_start_seconds_bucket{le="0.065536"} 0
poolproof_worker_start_seconds_bucket{le="0.131072"} 0
poolproof_worker_start_seconds_bucket{le="0.262144"} 0
poolproof_worker_start_seconds_bucket{le="0.524288"} 0
poolproof_worker_start_seconds_bucket{le="1.048576"} 0
poolproof_worker_start_seconds_bucket{le="2.097152"} 0
poolproof_worker_start_seconds_bucket{le="4.194304"} 0
poolproof_worker_start_seconds_bucket{le="8.388608"} 0
poolproof_worker_start_seconds_bucket{le="16.777216"} 0
poolproof_worker_start_seconds_bucket{le="33.554432"} 0
poolproof_worker_start_seconds_bucket{le="67.108864"} 0
poolproof_worker_start_seconds_bucket{le="134.217728"} 0
poolproof_worker_start_seconds_bucket{le="+Inf"} 0
poolproof_worker_start_seconds_sum 0
poolproof_worker_start_seconds_count 0
)";

TEST_CASE("host: prometheus: the text is the golden one") {
  CHECK(prometheus_text(sample()) == kGolden);
}

/// Lines that begin so.
std::vector<std::string> lines(const std::string& text, const std::string& begin) {
  std::vector<std::string> found;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    if (line.starts_with(begin)) found.push_back(line);
  }
  return found;
}

TEST_CASE("host: prometheus: a pool's name is on every sample, escaped") {
  const std::string text = prometheus_text(sample(), "a\"b\\c\nd");
  const std::string label = R"(pool="a\"b\\c\nd")";
  std::istringstream all(text);
  std::size_t samples = 0;
  for (std::string line; std::getline(all, line);) {
    if (line.starts_with("#")) continue;
    INFO(line);
    CHECK(line.find("{" + label) != std::string::npos);
    ++samples;
  }
  CHECK(samples > 100);
  CHECK(lines(text, "poolproof_starts_total") ==
        std::vector<std::string>{"poolproof_starts_total{" + label + "} 107"});
  CHECK(lines(text, "poolproof_workers{")[0] ==
        "poolproof_workers{" + label + ",state=\"starting\"} 202");
  CHECK(lines(text, "poolproof_checkout_wait_seconds_bucket").back() ==
        "poolproof_checkout_wait_seconds_bucket{" + label + ",le=\"+Inf\"} 5");
}

TEST_CASE("host: prometheus: a sum of seconds is exact") {
  Statistics now;
  now.timings.use.add(24h * 365 * 1000);
  now.timings.use.add(1us);
  CHECK(lines(prometheus_text(now), "poolproof_lease_use_seconds_sum") ==
        std::vector<std::string>{"poolproof_lease_use_seconds_sum 31536000000.000001"});
}

}  // namespace
}  // namespace poolproof::host

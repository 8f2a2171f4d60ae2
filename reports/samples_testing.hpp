#pragma once

#include "harness/run/result.hpp"

/// Results to write reports of; for tests only.
namespace poolproof::reports {

using namespace std::chrono_literals;

inline run::ScenarioResult passed_scenario() {
  run::ScenarioResult s;
  s.name = "late-reply-after-timeout";
  s.file = "scenarios/correlation/late-reply-after-timeout.json";
  s.why = "a reply that comes after its caller gave up must never reach the next caller";
  s.tags = {"timeout", "correlation"};
  s.seed = 0x5eed;
  s.verdict = run::Verdict::pass;
  s.strikes = {{"f0", "reply_late", 1}};
  s.calls_ok = 1;
  s.calls_failed = 1;
  s.said = {
      {"a", StepKind::call, Outcome::call_timeout, "call_timeout after 100 ms: no byte came back"}};
  s.control = "without its fault both calls succeed";
  s.elapsed = 412'345us;
  return s;
}

inline run::ScenarioResult failed_scenario() {
  run::ScenarioResult s;
  s.name = "banner-on-stdout";
  s.file = "scenarios/startup/banner-on-stdout.json";
  s.why = "a banner on stdout must be named, not waited for";
  s.tags = {"startup"};
  s.seed = 0xffff'ffff'ffff'ffff;
  s.repetition = 1;
  s.verdict = run::Verdict::fail;
  s.findings = {{"no_leak", "worker 0.1 still runs 5000 ms after the pool closed", Time{5'100ms}},
                {"expectation", "client a, step 1: wanted ok, got start_failed", Time{31ms}}};
  s.strikes = {{"f0", "stdout_banner", 2}, {"f1", "reply_lost", 0}};
  s.calls_failed = 3;
  s.said = {{"a", StepKind::checkout, Outcome::start_failed,
             "start_failed: text_on_stdout: 57 61 72 6e (\"Warn\")"}};
  s.control = "without its faults the same scenario passes";
  s.elapsed = 5'200ms;
  s.trace_file = "banner-on-stdout.trace.jsonl";
  s.timeline = "   0 ms  client a   checkout\n  31 ms  pool       start_failed\n";
  s.again = "poolproof run scenarios/startup/banner-on-stdout.json --seed 0xffffffffffffffff";
  return s;
}

inline run::ScenarioResult invalid_scenario() {
  run::ScenarioResult s;
  s.name = "fault-that-never-strikes";
  s.file = "scenarios/startup/fault-that-never-strikes.json";
  s.why = "a fault nobody meets proves nothing";
  s.seed = 1;
  s.verdict = run::Verdict::invalid;
  s.reasons = {"f0 (reply_lost) never struck"};
  s.strikes = {{"f0", "reply_lost", 0}};
  s.calls_ok = 2;
  s.elapsed = 20ms;
  s.again = "poolproof run scenarios/startup/fault-that-never-strikes.json --seed 0x1";
  return s;
}

/// A result in which every text tries to break the report that quotes it.
inline run::ScenarioResult hostile_scenario() {
  const std::string nasty =
      "a|b `c` ```d``` <script>&amp; [x](y) *z* \\| ]]> \x1b[31m \x01 \xff \xe2\x80\xae end\n"
      "| new | row |\n```\n# heading";
  run::ScenarioResult s;
  s.name = nasty;
  s.file = "scenarios/hostile \"theme\" <&>/x.json";
  s.why = nasty;
  s.tags = {nasty};
  s.world = "both";
  s.agreement = "agrees in 3 simulated schedules";
  s.seed = 2;
  s.verdict = run::Verdict::divergent;
  s.reasons = {nasty, std::string("nul \0 inside", 12)};
  s.findings = {{nasty, nasty, Time{1ms}}};
  s.strikes = {{"f0", nasty, 1}};
  s.said = {{nasty, StepKind::call, Outcome::protocol_error, nasty}};
  s.control = nasty;
  s.elapsed = 1ms;
  s.timeline = nasty;
  s.again = nasty;
  return s;
}

inline run::RunResult sample_run() {
  run::RunResult result;
  result.version = "0.1.0";
  result.command_line = "poolproof run scenarios";
  result.jobs = 2;
  result.elapsed = 5'700ms;
  result.scenarios = {passed_scenario(), failed_scenario(), invalid_scenario(), hostile_scenario()};
  return result;
}

}  // namespace poolproof::reports

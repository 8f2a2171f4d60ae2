#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "harness/guard/facts.hpp"

/// What the tests of the rules share: a sound program, and what its facts are made of.
namespace poolproof::guard::testing {

using namespace std::chrono_literals;

inline constexpr pid_t kHost = 100;
inline constexpr pid_t kWorker = 200;

inline Address address(pid_t pid, pid_t parent, Duration started = 10ms) {
  return {pid, "program " + std::to_string(pid), parent, "program " + std::to_string(parent),
          started};
}

inline Process process(pid_t pid, pid_t parent, Duration started, Duration gone) {
  Process one;
  one.address = address(pid, parent, started);
  one.is_worker = true;
  one.last_seen = gone;
  one.gone = gone;
  return one;
}

inline WorkerRequest asked(std::uint64_t number, Duration read, std::optional<Duration> wrote,
                           std::string nonce = "") {
  WorkerRequest one;
  one.number = number;
  one.command = "echo";
  if (!nonce.empty()) one.nonce = std::move(nonce);
  one.is_owed = true;
  one.read = read;
  one.wrote = wrote;
  return one;
}

inline Incarnation incarnation(pid_t pid, Duration started) {
  Incarnation one;
  one.pid = pid;
  one.started = started;
  one.asked = {asked(0, started + 1ms, started + 2ms)};
  return one;
}

/// A program that ran for 10 s with one worker, which left at the end of its input.
inline Facts sound() {
  Facts facts;
  facts.host = address(kHost, 0, 0ms);
  facts.end.at = 10s;
  Process host = process(kHost, 0, 0ms, 10s);
  host.is_worker = false;
  facts.seen = {host, process(kWorker, kHost, 20ms, 9s)};
  facts.seen.back().exit = ExitStatus{};
  Incarnation worker = incarnation(kWorker, 30ms);
  worker.asked.push_back(asked(1, 1s, 1001ms, "a:1"));
  worker.stdin_end = 8990ms;
  worker.exiting = 0;
  facts.incarnations = {worker};
  return facts;
}

}  // namespace poolproof::guard::testing

#pragma once

#include <chrono>
#include <cstdint>

#include "harness/trace/record.hpp"

/// Histories and journals for the tests of every room above this one.
namespace poolproof::trace::testing {

inline Time ms(int at) {
  return Time(std::chrono::milliseconds(at));
}

inline ClientStep step(const char* client, std::uint32_t place, StepKind kind, int begun) {
  ClientStep step;
  step.client = client;
  step.step = place;
  step.kind = kind;
  step.begun = ms(begun);
  step.ended = ms(begun + 1);
  return step;
}

inline WorkerRecord journal(faults::JournalRecord::Kind kind, int at) {
  WorkerRecord record;
  record.at = ms(at);
  record.pid = 100;
  record.record.kind = kind;
  return record;
}

/// The witnesses' records of a sound run, without the pool's own.
inline Trace seen() {
  using Kind = faults::JournalRecord::Kind;
  Trace trace;
  trace.os = {{ms(0), "before", 0, 0, 3, 1, {}}, {ms(20), "after", 0, 0, 3, 1, {}}};
  auto checkout = step("a", 0, StepKind::checkout, 1);
  checkout.lease = LeaseId{1};
  checkout.worker = WorkerId{0, 0};
  auto call = step("a", 1, StepKind::call, 5);
  call.command = "echo";
  call.nonce = call.reply_nonce = "a:1";
  call.written_bytes = 100;
  call.lease = LeaseId{1};
  call.worker = WorkerId{0, 0};
  auto checkin = step("a", 2, StepKind::checkin, 8);
  checkin.lease = LeaseId{1};
  checkin.worker = WorkerId{0, 0};
  trace.clients = {checkout, call, checkin, step("", 0, StepKind::close, 10)};
  trace.workers.push_back(journal(Kind::started, 2));
  for (const int request : {0, 1}) {
    auto read = journal(Kind::read, request == 0 ? 2 : 5);
    read.record.request = static_cast<std::uint32_t>(request);
    read.record.id = request;
    read.record.command = request == 0 ? "ping" : "echo";
    if (request == 1) read.record.nonce = "a:1";
    trace.workers.push_back(read);
    auto wrote = journal(Kind::wrote, request == 0 ? 2 : 5);
    wrote.record.request = static_cast<std::uint32_t>(request);
    wrote.record.bytes = 50;
    trace.workers.push_back(wrote);
  }
  trace.workers.push_back(journal(Kind::stdin_end, 10));
  trace.workers.push_back(journal(Kind::exiting, 10));
  return trace;
}

}  // namespace poolproof::trace::testing

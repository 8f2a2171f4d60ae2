#pragma once

#include "harness/trace/record.hpp"

/// For tests: one record of every kind, with every alternative of the pool's events and effects.
namespace poolproof::trace {

inline Time ms(double at) {
  return Time(Duration(static_cast<std::int64_t>(at * 1000)));
}

inline pool::StartEvidence every_evidence() {
  pool::StartEvidence evidence;
  evidence.cause = StartCause::text_on_stdout;
  evidence.errno_value = 2;
  evidence.exit = {3, 9};
  evidence.ping_bytes = 44;
  evidence.unread_bytes = 43;
  evidence.answered_bytes = 42;
  evidence.late_bytes = 41;
  evidence.first_size = 4;
  evidence.first = {'W', '\xff', '\0', 'n'};
  evidence.outlived_stdin = true;
  return evidence;
}

inline std::vector<pool::Event> every_event() {
  const WorkerId worker{1, 2};
  return {pool::CheckoutRequested{CheckoutId{1}, kNever},
          pool::CheckoutCancelled{CheckoutId{2}},
          pool::CheckedIn{LeaseId{3}, true},
          pool::LeaseRevoked{LeaseId{4}},
          pool::Started{worker},
          pool::StartFailed{worker, 13},
          pool::HandshakeEnded{worker, every_evidence()},
          pool::UnsolicitedOutput{worker},
          pool::Exited{worker, {7, 0}},
          pool::Tick{},
          pool::CloseRequested{ms(99.5)},
          pool::CheckedIn{LeaseId{3}, true, 7},
          pool::RenewRequested{},
          pool::SuspendRequested{},
          pool::ResumeRequested{},
          pool::PingEnded{worker, true},
          pool::CheckedIn{LeaseId{3}, true, 7, 123'456'789'012},
          pool::MemoryMeasured{worker, 123'456'789'012}};
}

inline Effects every_effect() {
  const WorkerId worker{1, 2};
  pool::Refuse refuse;
  refuse.checkout = CheckoutId{5};
  refuse.why = Outcome::start_failed;
  refuse.phase = Phase::cooling;
  refuse.has_blocker = true;
  refuse.blocker = {2, 3};
  refuse.since = ms(1.001);
  refuse.waiting_since = ms(0.999);
  refuse.cause = every_evidence();
  refuse.cause_worker = {3, 4};
  refuse.failures = 3;
  return {pool::Grant{CheckoutId{1}, LeaseId{18446744073709551615U}, worker},
          refuse,
          pool::Start{worker},
          pool::BeginHandshake{worker, ms(12.345)},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::closing},
          pool::Stop{worker, pool::StopStep::end_of_input, pool::RemovalReason::closing},
          pool::Stop{worker, pool::StopStep::kill, pool::RemovalReason::budget_spent},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::calls_spent},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::lifetime_over},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::idle_too_long},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::renewed},
          pool::Forget{worker},
          pool::Stop{worker, pool::StopStep::term, pool::RemovalReason::ping_failed},
          pool::Closed{},
          pool::BeginPing{worker, ms(12.5)},
          pool::Stop{worker, pool::StopStep::ask, pool::RemovalReason::rss_exceeded},
          pool::MeasureMemory{worker}};
}

inline std::vector<faults::JournalRecord> every_journal_record() {
  using Kind = faults::JournalRecord::Kind;
  std::vector<faults::JournalRecord> all;
  for (const Kind kind :
       {Kind::started, Kind::read, Kind::wrote, Kind::receipt, Kind::stdin_end, Kind::term,
        Kind::grandchild, Kind::exiting, Kind::misframed, Kind::goodbye}) {
    faults::JournalRecord record;
    record.kind = kind;
    const bool of_request = kind == Kind::read || kind == Kind::wrote || kind == Kind::receipt;
    if (of_request) record.request = 1;
    if (kind == Kind::read) {
      record.id = 1;
      record.command = "echo";
      record.nonce = "a:1";
    }
    if (kind == Kind::wrote) record.bytes = 82;
    if (kind == Kind::receipt) {
      record.fault = "reply_late";
      record.plan_id = "f0";
    }
    if (kind == Kind::grandchild) record.child_pid = 4712;
    if (kind == Kind::exiting) record.code = 1;
    if (kind == Kind::misframed) record.text = "the worker: frame length 0 is not allowed";
    all.push_back(record);
  }
  return all;
}

inline ClientStep a_call() {
  ClientStep call;
  call.begun = ms(10);
  call.ended = ms(110.25);
  call.client = "a";
  call.repetition = 1;
  call.step = 2;
  call.kind = StepKind::call;
  call.outcome = Outcome::call_timeout;
  call.phase = Phase::awaiting_reply;
  call.cause = StartCause::exited;
  call.message = "no reply: \"\x1b[31m\n\xc3\xa9";
  call.limit = Duration(100'000);
  call.lease = LeaseId{1};
  call.worker = WorkerId{0, 1};
  call.command = "echo";
  call.nonce = "a:1";
  call.reply_nonce = "b:1";
  call.reply_differs = true;
  call.reply_hash = 18446744073709551615U;
  call.reply_shown = "{\"n\":2}";
  call.written_bytes = 80;
  call.in_doubt = true;
  call.retryable = true;
  return call;
}

/// All records in one trace, each witness in the order of time.
inline Trace every_record() {
  Trace trace;
  trace.header = {"late-reply",
                  "host",
                  "control",
                  0x5eed,
                  "0.1.0",
                  R"({"name":"late-reply"})",
                  "client b waited in vain",
                  true};
  trace.os.push_back({ms(0), "before", 1, 0, 12, 3, {}});
  trace.os.push_back({ms(200), "after", 2, 1, 13, 4, {"pid 4712 (sleep 60)"}});
  ClientStep checkout;
  checkout.begun = ms(1);
  checkout.ended = ms(9);
  checkout.client = "a";
  checkout.kind = StepKind::checkout;
  checkout.lease = LeaseId{1};
  checkout.worker = WorkerId{0, 1};
  ClientStep skipped;
  skipped.begun = skipped.ended = ms(120);
  skipped.client = "b";
  skipped.kind = StepKind::checkin;
  skipped.skipped = true;
  trace.clients = {checkout, a_call(), skipped};
  double at = 2;
  for (const faults::JournalRecord& record : every_journal_record()) {
    trace.workers.push_back({ms(at), {0, 1}, 4711, record});
    at += 1.5;
  }
  trace.environment.push_back({ms(130), {0, 1}, 9, true});
  trace.environment.push_back({ms(131), {0, 2}, 15, false});
  at = 140;
  for (const pool::Event& event : every_event()) {
    trace.pool.push_back({ms(at), event, {}});
    at += 0.001;
  }
  trace.pool.back().effects = every_effect();
  return trace;
}

}  // namespace poolproof::trace

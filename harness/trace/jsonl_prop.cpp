#include "harness/base/property_testing.hpp"
#include "harness/trace/jsonl.hpp"
#include "harness/trace/jsonl_testing.hpp"

namespace poolproof::trace {
namespace {

template <class Number>
Number any(Number below) {
  return *rc::gen::inRange<Number>(0, below);
}

Time any_time() {
  return Time(Duration(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000'000)));
}

WorkerId any_worker() {
  const auto slot = any<std::uint32_t>(100'000);
  return {slot, any<std::uint32_t>(1'000'000)};
}

std::string any_text() {
  return *rc::gen::string<std::string>();
}

pool::StartEvidence any_evidence() {
  pool::StartEvidence evidence;
  evidence.cause = static_cast<StartCause>(any<int>(kStartCauseNames.size()));
  evidence.exit.code = *rc::gen::arbitrary<std::int32_t>();
  evidence.unread_bytes = *rc::gen::arbitrary<std::uint32_t>();
  evidence.first_size = static_cast<std::uint8_t>(any<int>(49));
  for (std::size_t i = 0; i < evidence.first_size; ++i) {
    evidence.first[i] = *rc::gen::arbitrary<char>();
  }
  return evidence;
}

pool::Event any_event() {
  const auto events = every_event();
  pool::Event event = events[any<std::size_t>(events.size())];
  if (auto* asked = std::get_if<pool::CheckoutRequested>(&event)) asked->deadline = any_time();
  if (auto* ended = std::get_if<pool::HandshakeEnded>(&event)) ended->evidence = any_evidence();
  if (auto* started = std::get_if<pool::Started>(&event)) started->worker = any_worker();
  return event;
}

pool::Effect any_effect() {
  const auto effects = every_effect();
  pool::Effect effect = effects[any<std::size_t>(effects.size())];
  if (auto* refuse = std::get_if<pool::Refuse>(&effect)) {
    refuse->cause = any_evidence();
    refuse->since = any_time();
  }
  return effect;
}

ClientStep any_step() {
  ClientStep step = a_call();
  step.begun = any_time();
  step.message = any_text();
  step.nonce = any_text();
  step.outcome = static_cast<Outcome>(any<int>(kOutcomeNames.size()));
  step.in_doubt = *rc::gen::arbitrary<bool>();
  step.retryable = *rc::gen::arbitrary<bool>();
  step.exit = {*rc::gen::arbitrary<int>(), *rc::gen::arbitrary<int>()};
  if (*rc::gen::arbitrary<bool>()) step.after = Duration(any<int>(1'000'000));
  step.stderr_bytes = any<std::uint64_t>(5000);
  step.truncated = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) step.blamed = any_worker();
  if (*rc::gen::arbitrary<bool>()) step.worker = any_worker();
  if (*rc::gen::arbitrary<bool>()) step.limit.reset();
  return step;
}

Trace any_trace() {
  Trace trace;
  trace.header.seed = *rc::gen::arbitrary<std::uint64_t>();
  trace.header.scenario = any_text();
  Time at = any_time();
  const auto count = any<int>(20);
  for (int i = 0; i < count; ++i) {
    at += Duration(any<std::int64_t>(3));
    const auto witness = any<int>(5);
    if (witness == 0) {
      trace.clients.push_back(any_step());
      trace.clients.back().ended = at;
    } else if (witness == 1) {
      const auto records = every_journal_record();
      trace.workers.push_back({at, any_worker(), 4711, records[any<std::size_t>(records.size())]});
    } else if (witness == 2) {
      trace.os.push_back({at, any<int>(2) == 0 ? "before" : "after", 1, 2, 3, 4, {any_text()}});
    } else if (witness == 3) {
      trace.environment.push_back({at, any_worker(), any<int>(32), true});
    } else {
      trace.pool.push_back({at, any_event(), {}});
      const auto effects = any<int>(4);
      for (int j = 0; j < effects; ++j) trace.pool.back().effects.push_back(any_effect());
    }
  }
  return trace;
}

TEST_CASE("trace: jsonl: what is written is read back, and written again byte for byte") {
  holds("trace_jsonl_round_trip", [] {
    const Trace trace = any_trace();
    const std::string text = write_trace(trace);
    RC_ASSERT(write_trace(trace) == text);
    const auto again = read_trace(text, "t.jsonl");
    if (!again) RC_FAIL(again.error().line());
    RC_ASSERT(write_trace(*again) == text);
    RC_ASSERT(again->workers == trace.workers);
    RC_ASSERT(again->header.seed == trace.header.seed);
    RC_ASSERT(again->clients.size() == trace.clients.size());
    for (std::size_t i = 0; i < trace.clients.size(); ++i) {
      const ClientStep& one = trace.clients[i];
      const ClientStep& other = again->clients[i];
      RC_ASSERT(other.begun == one.begun);
      RC_ASSERT(other.ended == one.ended);
      RC_ASSERT(other.worker == one.worker);
      RC_ASSERT(other.limit == one.limit);
      RC_ASSERT(other.after == one.after);
      RC_ASSERT(other.stderr_bytes == one.stderr_bytes);
      RC_ASSERT(other.blamed == one.blamed);
      RC_ASSERT(other.truncated == one.truncated);
      RC_ASSERT(other.outcome == one.outcome);
    }
    for (std::size_t i = 0; i < trace.pool.size(); ++i) {
      const auto* one = std::get_if<pool::HandshakeEnded>(&trace.pool[i].event);
      const auto* other = std::get_if<pool::HandshakeEnded>(&again->pool[i].event);
      RC_ASSERT((one == nullptr) == (other == nullptr));
      if (one == nullptr) continue;
      RC_ASSERT(one->evidence.first == other->evidence.first);
      RC_ASSERT(one->evidence.exit == other->evidence.exit);
    }
  });
}

TEST_CASE("trace: jsonl: no text makes the reader do more than say what is wrong") {
  holds("trace_jsonl_any_text", [] {
    std::string text = write_trace(every_record());
    const auto place = any<std::size_t>(text.size());
    text[place] = *rc::gen::arbitrary<char>();
    const auto again = read_trace(text, "t.jsonl");
    if (!again) RC_ASSERT(again.error().where.starts_with("t.jsonl:"));
  });
}

}  // namespace
}  // namespace poolproof::trace

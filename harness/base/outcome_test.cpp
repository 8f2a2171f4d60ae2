#include "harness/base/outcome.hpp"

#include <set>
#include <string_view>

#include <catch2/catch.hpp>

#include "harness/base/step_kind.hpp"

using namespace poolproof;

namespace {

template <class Enum, class Names>
void check_round_trip(const Names& names) {
  CHECK(std::set<std::string_view>(names.begin(), names.end()).size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK_FALSE(names[i].empty());
    CHECK(named<Enum>(names, names[i]) == static_cast<Enum>(i));
  }
  CHECK_FALSE(named<Enum>(names, "no such name").has_value());
}

}  // namespace

TEST_CASE("base: outcome: every enumerator has its own name, in its own place") {
  CHECK(name(Outcome::ok) == "ok");
  CHECK(name(Outcome::worker_error) == "worker_error");
  CHECK(name(Outcome::checkout_timeout) == "checkout_timeout");
  CHECK(name(Outcome::queue_full) == "queue_full");
  CHECK(name(Outcome::start_failed) == "start_failed");
  CHECK(name(Outcome::pool_closed) == "pool_closed");
  CHECK(name(Outcome::cancelled) == "cancelled");
  CHECK(name(Outcome::call_timeout) == "call_timeout");
  CHECK(name(Outcome::worker_died) == "worker_died");
  CHECK(name(Outcome::stdout_closed) == "stdout_closed");
  CHECK(name(Outcome::stdin_closed) == "stdin_closed");
  CHECK(name(Outcome::protocol_error) == "protocol_error");
  CHECK(name(Outcome::stale_worker) == "stale_worker");
  CHECK(name(Outcome::lease_over) == "lease_over");
  CHECK(name(Outcome::request_too_large) == "request_too_large");
  check_round_trip<Outcome>(kOutcomeNames);
}

TEST_CASE("base: outcome: every phase has its own name, in its own place") {
  CHECK(name(Phase::none) == "none");
  CHECK(name(Phase::queued) == "queued");
  CHECK(name(Phase::starting) == "starting");
  CHECK(name(Phase::handshake) == "handshake");
  CHECK(name(Phase::cooling) == "cooling");
  CHECK(name(Phase::writing_request) == "writing_request");
  CHECK(name(Phase::awaiting_reply) == "awaiting_reply");
  CHECK(name(Phase::reading_reply) == "reading_reply");
  check_round_trip<Phase>(kPhaseNames);
}

TEST_CASE("base: outcome: every start cause has its own name, in its own place") {
  CHECK(name(StartCause::none) == "none");
  CHECK(name(StartCause::exec_failed) == "exec_failed");
  CHECK(name(StartCause::exited) == "exited");
  CHECK(name(StartCause::ping_unread) == "ping_unread");
  CHECK(name(StartCause::ping_unanswered) == "ping_unanswered");
  CHECK(name(StartCause::reply_unflushed) == "reply_unflushed");
  CHECK(name(StartCause::text_on_stdout) == "text_on_stdout");
  CHECK(name(StartCause::reply_unframed) == "reply_unframed");
  CHECK(name(StartCause::reply_incomplete) == "reply_incomplete");
  CHECK(name(StartCause::bad_frame) == "bad_frame");
  CHECK(name(StartCause::refused) == "refused");
  CHECK(name(StartCause::stdout_closed) == "stdout_closed");
  CHECK(name(StartCause::stdin_closed) == "stdin_closed");
  CHECK(name(StartCause::behind_another_start) == "behind_another_start");
  CHECK(name(StartCause::budget_spent) == "budget_spent");
  check_round_trip<StartCause>(kStartCauseNames);
}

TEST_CASE("base: step kinds: each has its own name; what arranges comes to nothing") {
  check_round_trip<StepKind>(kStepKindNames);
  std::string arrange;
  std::string calls;
  for (std::size_t i = 0; i < kStepKindNames.size(); ++i) {
    const auto kind = static_cast<StepKind>(i);
    if (!has_outcome(kind)) arrange.append(name(kind)).append(" ");
    if (is_call(kind)) calls.append(name(kind)).append(" ");
  }
  CHECK(name(StepKind::thrown) == "throw");
  CHECK(arrange == "await pause cancel signal_worker end_session renew suspend resume ");
  CHECK(calls == "call call_bytes ");
}

#pragma once

#include "harness/base/enumerators.hpp"
#include "harness/trace/record.hpp"

/// Which JSON key holds which member: stated once for each type, used by the writer and the reader.
///
/// An archive has `must(key, member)` for keys that are always there and `may(key, member)` for
/// those that are left out when the member has its default value.
namespace poolproof::trace {

template <class Archive, class Step>
void client_step_fields(Archive& archive, Step& step) {
  archive.must("client", step.client);
  archive.may("repetition", step.repetition);
  archive.must("step", step.step);
  archive.must("begun_ms", step.begun);
  archive.may("part", step.part);
  archive.may("since_ms", step.since);
  archive.may("session", step.session);
  archive.may("affinity", step.affinity);
  archive.may("skipped", step.skipped);
  archive.must("outcome", step.outcome);
  archive.may("phase", step.phase);
  archive.may("cause", step.cause);
  archive.may("message", step.message);
  archive.may("limit_ms", step.limit);
  archive.may("lease", step.lease);
  archive.may("worker", step.worker);
  archive.may("command", step.command);
  archive.may("nonce", step.nonce);
  archive.may("reply_nonce", step.reply_nonce);
  archive.may("reply_differs", step.reply_differs);
  archive.may("reply_hash", step.reply_hash);
  archive.may("reply_shown", step.reply_shown);
  archive.may("written_bytes", step.written_bytes);
  archive.may("in_doubt", step.in_doubt);
  archive.may("retryable", step.retryable);
  archive.may("exit_code", step.exit.code);
  archive.may("exit_signal", step.exit.signal);
  archive.may("after_ms", step.after);
  archive.may("truncated", step.truncated);
  archive.may("stderr_bytes", step.stderr_bytes);
  archive.may("blamed", step.blamed);
}

template <class Archive, class Record>
void os_fields(Archive& archive, Record& record) {
  archive.must("children", record.children);
  archive.must("zombies", record.zombies);
  archive.must("descriptors", record.descriptors);
  archive.must("threads", record.threads);
  archive.may("survivors", record.survivors);
}

template <class Archive, class Record>
void environment_fields(Archive& archive, Record& record) {
  archive.must("worker", record.worker);
  archive.must("signal", record.signal);
  archive.must("delivered", record.delivered);
}

template <class Archive, class Evidence>
void evidence_fields(Archive& archive, Evidence& evidence) {
  archive.must("cause", evidence.cause);
  archive.may("errno", evidence.errno_value);
  archive.may("exit_code", evidence.exit.code);
  archive.may("exit_signal", evidence.exit.signal);
  archive.may("ping_bytes", evidence.ping_bytes);
  archive.may("unread_bytes", evidence.unread_bytes);
  archive.may("answered_bytes", evidence.answered_bytes);
  archive.may("late_bytes", evidence.late_bytes);
  archive.first_bytes("first_hex", evidence.first, evidence.first_size);
  archive.may("outlived_stdin", evidence.outlived_stdin);
}

/// Hands the fields of any event or effect to an archive, by the type of the value.
template <class Archive>
struct PoolFields {
  Archive& archive;

  template <class Value>
  void operator()(Value& value) const {
    using Type = std::remove_const_t<Value>;
    using namespace pool;
    if constexpr (requires { value.checkout; }) archive.must("checkout", value.checkout);
    if constexpr (requires { value.session; }) archive.must("session", value.session);
    if constexpr (std::is_same_v<Type, CheckoutRequested>) {
      archive.may("session", value.use.session);
      archive.may("affinity", value.use.affinity);
      archive.may("when_busy", value.use.when_busy);
    }
    if constexpr (requires { value.lease; }) archive.must("lease", value.lease);
    if constexpr (requires { value.worker; }) archive.must("worker", value.worker);
    if constexpr (std::is_same_v<Type, CheckedIn>) {
      archive.must("clean", value.clean);
      archive.may("calls", value.calls);
      archive.may("rss_bytes", value.rss_bytes);
    }
    if constexpr (std::is_same_v<Type, MemoryMeasured>) {
      archive.must("rss_bytes", value.rss_bytes);
    }
    if constexpr (std::is_same_v<Type, PingEnded>) archive.must("good", value.good);
    if constexpr (std::is_same_v<Type, StartFailed>) archive.must("errno", value.errno_value);
    if constexpr (std::is_same_v<Type, HandshakeEnded>) archive.nested("evidence", value.evidence);
    if constexpr (std::is_same_v<Type, Exited>) {
      archive.must("code", value.status.code);
      archive.may("signal", value.status.signal);
    }
    if constexpr (std::is_same_v<Type, Stop>) {
      archive.must("step", value.step);
      archive.must("why", value.why);
    }
    if constexpr (std::is_same_v<Type, Refuse>) refuse(value);
    if constexpr (requires { value.deadline; }) archive.may("deadline_ms", value.deadline);
  }

 private:
  template <class Value>
  void refuse(Value& value) const {
    archive.must("why", value.why);
    archive.may("phase", value.phase);
    archive.may("has_blocker", value.has_blocker);
    archive.may("blocker", value.blocker);
    archive.may("since_ms", value.since);
    archive.may("waiting_since_ms", value.waiting_since);
    archive.nested("cause", value.cause);
    archive.may("cause_worker", value.cause_worker);
    archive.may("failures", value.failures);
  }
};

inline constexpr auto kEventNames = names_for<std::variant_size_v<pool::Event>>(
    {"checkout_requested", "checkout_cancelled", "checked_in", "lease_revoked", "started",
     "start_failed", "handshake_ended", "unsolicited_output", "exited", "tick", "close_requested",
     "session_ended", "renew_requested", "suspend_requested", "resume_requested", "ping_ended",
     "memory_measured"});
inline constexpr auto kEffectNames = names_for<std::variant_size_v<pool::Effect>>(
    {"grant", "refuse", "start", "handshake", "stop", "forget", "closed", "session_over", "ping",
     "measure_memory"});
inline constexpr auto kRemovalReasonNames = names_for<enumerators<pool::RemovalReason>()>(
    {"none", "start_failed", "budget_spent", "dirty", "revoked", "unsolicited", "closing",
     "ping_failed", "calls_spent", "lifetime_over", "idle_too_long", "renewed", "rss_exceeded"});
inline constexpr auto kStopStepNames =
    names_for<enumerators<pool::StopStep>()>({"ask", "end_of_input", "term", "kill"});

inline std::string_view name(const pool::Event& event) {
  return kEventNames[event.index()];
}
inline std::string_view name(const pool::Effect& effect) {
  return kEffectNames[effect.index()];
}
inline std::string_view name(pool::RemovalReason why) {
  return kRemovalReasonNames[static_cast<std::size_t>(why)];
}
inline std::string_view name(pool::StopStep step) {
  return kStopStepNames[static_cast<std::size_t>(step)];
}

/// Exact milliseconds with three decimals: `12.345`, `-0.001`.
std::string milliseconds(Duration span);

/// `slot.generation`: `0.1`.
std::string dotted(WorkerId worker);

}  // namespace poolproof::trace

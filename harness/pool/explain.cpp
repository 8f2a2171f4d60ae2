#include "harness/pool/explain.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <fmt/compile.h>
#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/pool/requests.hpp"

namespace poolproof::pool {
namespace {

/// So many bytes of a worker's error reply are shown at most.
constexpr std::size_t kErrorShown = 2000;

/// Seconds for people: `1.6 s`, `250 ms`.
std::string age(Duration span) {
  const auto ms = to_ms(span);
  return ms < 1000 ? fmt::format(FMT_COMPILE("{} ms"), ms)
                   : fmt::format(FMT_COMPILE("{}.{} s"), ms / 1000, ms % 1000 / 100);
}

std::string tail_words(const std::string& stderr_tail) {
  if (stderr_tail.empty()) return "";
  constexpr std::size_t kShown = 300;
  const std::size_t from = stderr_tail.size() > kShown ? stderr_tail.size() - kShown : 0;
  return fmt::format(FMT_COMPILE("; its stderr ends: {}"),
                     printable(std::string_view(stderr_tail).substr(from), kShown));
}

std::string first_words(const StartEvidence& evidence) {
  return hex_and_text(std::string_view(evidence.first.data(), evidence.first_size),
                      evidence.first.size());
}

/// The first bytes that a worker wrote, as people would read them.
std::string quoted_words(const StartEvidence& e) {
  return fmt::format(FMT_COMPILE("\"{}\""),
                     printable(std::string_view(e.first.data(), e.first_size)));
}

std::string text_or_bytes(const StartEvidence& e) {
  return is_text(std::string_view(e.first.data(), e.first_size)) ? quoted_words(e) : first_words(e);
}

std::string unread_words(std::uint32_t unread, std::uint32_t whole, std::string_view greeting) {
  return fmt::format(FMT_COMPILE("its {} is unread ({} of {} bytes)"), greeting, unread, whole);
}

std::string breaker_words(const Refuse& refusal) {
  return refusal.failures > 1
             ? fmt::format(FMT_COMPILE(" ({} starts in a row have failed)"), refusal.failures)
             : "";
}

/// Words for how far the start has come that the client waited for.
std::string start_words(const Refuse& refusal, const Config& config, const RefusalFacts& facts) {
  const std::string slot = fmt::format(FMT_COMPILE("slot {}"), refusal.blocker.slot);
  if (refusal.phase == Phase::starting) {
    return fmt::format(FMT_COMPILE("{} is still starting (no process yet after {})"), slot,
                       age(facts.now - refusal.since));
  }
  std::string text = fmt::format(FMT_COMPILE("{} is still starting (handshake {}, pid {})"), slot,
                                 age(facts.now - refusal.since), facts.blocker_pid);
  if (facts.unread_bytes && *facts.unread_bytes > 0) {
    text += fmt::format(FMT_COMPILE("; {}, so it is still importing, or never reads its input"),
                        unread_words(*facts.unread_bytes, facts.ping_bytes, facts.cause.greeting));
  } else if (facts.unread_bytes) {
    text +=
        fmt::format(FMT_COMPILE("; it has read its {} and not answered yet"), facts.cause.greeting);
  }
  const Duration waited = facts.now - refusal.waiting_since;
  if (config.startup_budget > waited) {
    text += fmt::format(
        FMT_COMPILE(". The start-up budget ({} ms) is longer than the checkout timeout"),
        to_ms(config.startup_budget));
  }
  return text;
}

std::string behind_words(const Refuse& refusal, const Config& config, const RefusalFacts& facts) {
  const bool blocking = config.init_mode == InitMode::blocking;
  return fmt::format(
      FMT_COMPILE(
          "its own start was not even begun: it is behind the start of slot {} (for {}), and {}"),
      refusal.blocker.slot, age(facts.now - refusal.since),
      blocking ? "init_mode is blocking: one start at a time, and nobody is served meanwhile"
               : fmt::format(FMT_COMPILE("at most {} start(s) go on at a time (starts_max)"),
                             config.starts_max));
}

std::string busy_words(const Refuse& refusal, const RefusalFacts& facts, bool overlap) {
  const auto& g = facts.gauges;
  if (refusal.phase == Phase::suspended) {
    return fmt::format(
        FMT_COMPILE("the pool is suspended ({} other client(s) wait for it to be resumed)"),
        g.waiting);
  }
  if (refusal.phase == Phase::cooling) {
    return fmt::format(FMT_COMPILE("no worker lives; starts are held back after {} failure(s)"),
                       refusal.failures);
  }
  std::string text;
  const auto count = [&text](std::uint32_t workers, std::string_view what) {
    if (workers > 0) text += fmt::format(FMT_COMPILE("{} {}, "), workers, what);
  };
  count(g.leased, "leased");
  count(g.starting + g.handshake, "starting");
  count(g.pinging, "being pinged");
  count(g.leaving, overlap ? "told to go and not gone yet"
                           : "told to go, whose slots wait for them (overlap is false)");
  if (text.empty()) return "no worker is there, and no time was given to start one";
  return fmt::format(FMT_COMPILE("all workers are busy: {}{} other client(s) waiting"), text,
                     g.waiting);
}

std::string timeout_words(const Refuse& refusal, const Config& config, const RefusalFacts& facts) {
  if (refusal.cause.cause == StartCause::behind_another_start)
    return behind_words(refusal, config, facts);
  if (refusal.has_blocker) return start_words(refusal, config, facts);
  return busy_words(refusal, facts, config.overlap);
}

/// Why a request in a session was refused.
std::string session_words(const Refuse& refusal, const Config& config, const RefusalFacts& facts) {
  if (refusal.why == Outcome::sessions_full) {
    return fmt::format(FMT_COMPILE("{} session(s) go on already (sessions_max {}); end those that "
                                   "are not needed, or set session_idle_timeout_ms"),
                       facts.gauges.sessions, config.sessions_max);
  }
  const std::string who = name_of(refusal.blocker);
  if (refusal.why == Outcome::worker_gone) {
    return fmt::format(FMT_COMPILE("worker {}, which served this session, is gone, and what it "
                                   "knew of the session with it; end the session to begin anew"),
                       who);
  }
  return fmt::format(
      FMT_COMPILE("worker {}, which serves this session, is leased to another client "
                  "(for {}), and no other worker may (affinity strict)"),
      who, age(facts.now - refusal.since));
}

const char* signal_name(int signal) {
  const char* known = sigabbrev_np(signal);
  return known == nullptr ? "?" : known;
}

std::string exited_words(const StartEvidence& e, std::string_view greeting) {
  const std::string wrote =
      e.first_size > 0
          ? fmt::format(FMT_COMPILE("; on its stdout it had written {}"), text_or_bytes(e))
          : "";
  if (e.unread_bytes < e.ping_bytes) {
    return fmt::format(FMT_COMPILE("had read {} of the {} bytes of its {} and {} without an "
                                   "answer: it could not make sense of it, or failed in it{}"),
                       e.ping_bytes - e.unread_bytes, e.ping_bytes, greeting, words(e.exit), wrote);
  }
  return fmt::format(FMT_COMPILE("{} before it answered its {}: dead at start{}"), words(e.exit),
                     greeting, wrote);
}

std::string unread_ping_words(const StartEvidence& e, std::int64_t budget,
                              std::string_view greeting) {
  if (e.unread_bytes < e.ping_bytes) {
    return fmt::format(
        FMT_COMPILE("stopped reading in the middle of its {} ({} of {} bytes unread after {} ms)"),
        greeting, e.unread_bytes, e.ping_bytes, budget);
  }
  return fmt::format(FMT_COMPILE("had not answered when its start-up budget of {} ms was over: {}, "
                                 "so it is one of: still importing (a slow start), or a program "
                                 "that never reads its input"),
                     budget, unread_words(e.unread_bytes, e.ping_bytes, greeting));
}

/// `; reason`, or nothing.
std::string because(const std::string& reason) {
  return reason.empty() ? "" : "; " + reason;
}

/// What a worker may have done that read its ping and did not answer. Nobody can see which: it is
/// seen only what it wrote, and whether it left at the end of its input.
std::string unanswered_words(const StartEvidence& e, std::int64_t budget, const StartWords& known) {
  return fmt::format(
      FMT_COMPILE("read its {} ({} bytes) and answered nothing within {} ms, {}. One of: it finds "
                  "no frame in what it read (another framing: lines, another length prefix), it "
                  "gives no answer (it swallows an error, or answers elsewhere than on its "
                  "stdout){}{}"),
      known.greeting, e.ping_bytes, budget,
      e.outlived_stdin   ? "nor at end of input, which it outlived"
      : e.late_bytes > 0 ? "and no whole frame at end of input"
                         : "and nothing at end of input either",
      e.outlived_stdin ? ", or it hangs in it" : "",
      e.first_size > 0
          ? fmt::format(FMT_COMPILE("; it wrote {}{}"), first_words(e), because(known.reason))
          : "");
}

/// A hint at the slot's worker before, which had not left: two may want what only one can have.
std::string before_words(WorkerId worker, const StartWords& known) {
  if (known.pid_before == 0) return "";
  return fmt::format(
      FMT_COMPILE("; the worker before it in slot {} (pid {}) {}: if only one of them can have a "
                  "port, a lock or a device, set \"overlap\": false"),
      worker.slot, known.pid_before, known.still_there ? "has not left" : "had not left then");
}

/// The part of a start's post-mortem that depends on its cause.
std::string cause_words(const StartEvidence& e, const Config& config, const StartWords& known) {
  const auto budget = to_ms(config.startup_budget);
  switch (e.cause) {
    case StartCause::exec_failed:
      return fmt::format(FMT_COMPILE("could not be started: {}"), known.launch_error.empty()
                                                                      ? std::strerror(e.errno_value)
                                                                      : known.launch_error);
    case StartCause::exited:
      return exited_words(e, known.greeting) + because(known.reason);
    case StartCause::ping_unread:
      return unread_ping_words(e, budget, known.greeting);
    case StartCause::ping_unanswered:
      return unanswered_words(e, budget, known);
    case StartCause::reply_unflushed:
      return fmt::format(FMT_COMPILE("read its {} and its whole reply ({} bytes) came out only "
                                     "when its stdin was closed: it answers, but never flushes "
                                     "its stdout, or it waits for more input than a request"),
                         known.greeting, e.late_bytes);
    case StartCause::text_on_stdout:
      return fmt::format(
          FMT_COMPILE(
              "wrote text on stdout where a frame should be (a banner or a stray print): {}"),
          quoted_words(e));
    case StartCause::reply_unframed:
      return fmt::format(FMT_COMPILE("answered in {}{}: {}"),
                         known.reason.empty() ? "JSON without a length prefix" : known.reason,
                         e.answered_bytes == 0 ? ", and only at end of input" : "",
                         quoted_words(e));
    case StartCause::reply_incomplete:
      return fmt::format(FMT_COMPILE("wrote {} bytes that make no whole frame within {} ms: {}{}"),
                         e.answered_bytes, budget, first_words(e), because(known.reason));
    case StartCause::bad_frame:
      return fmt::format(
          FMT_COMPILE("answered its {} with what is no reply to it: {}{}"), known.greeting,
          known.reason.empty() ? "" : known.reason + "; it begins with ", first_words(e));
    case StartCause::refused:
      return fmt::format(FMT_COMPILE("answered its {} with an error: {}"), known.greeting,
                         quoted_words(e));
    case StartCause::stdout_closed:
      return fmt::format(FMT_COMPILE("closed its stdout before it answered its {}, and lives on"),
                         known.greeting);
    case StartCause::stdin_closed:
      return fmt::format(FMT_COMPILE("closed its stdin before it read its {}, and lives on"),
                         known.greeting);
    case StartCause::budget_spent:
      return fmt::format(FMT_COMPILE("was not ready when its start-up budget of {} ms was over"),
                         budget);
    case StartCause::none:
    case StartCause::behind_another_start:
      break;
  }
  return "did not start";
}

/// How far a worker that does not answer has read, and what it does.
std::string stuck_words(const wire::CallResult& result, const CallFacts& facts) {
  if (result.written_bytes == 0) return "";
  const std::uint64_t unread = std::min<std::uint64_t>(facts.unread_bytes, result.written_bytes);
  const std::string read = unread == 0 ? "the worker has read all of it"
                           : unread == result.written_bytes
                               ? "the worker has read nothing of it"
                               : fmt::format(FMT_COMPILE("the worker has read {} bytes of it"),
                                             result.written_bytes - unread);
  const std::string does = words(facts.activity);
  return "; " + read + (does.empty() ? "" : ", and " + does);
}

std::string call_words(const wire::CallResult& result, const CallFacts& facts) {
  const std::string who =
      fmt::format(FMT_COMPILE("worker {} (pid {})"), name_of(facts.worker), facts.pid);
  if (facts.pool_closing) {
    return fmt::format(FMT_COMPILE("the pool closed and put {} away while \"{}\" was under way"),
                       who, facts.command);
  }
  switch (result.outcome) {
    case Outcome::worker_error:
      return fmt::format(FMT_COMPILE("{} answered \"{}\" with an error: {}"), who, facts.command,
                         printable(result.reply.error, kErrorShown));
    case Outcome::call_timeout:
      return fmt::format(FMT_COMPILE("\"{}\" on {} after {} ms: {}{}{}"), facts.command, who,
                         to_ms(facts.limit), result.detail, stuck_words(result, facts),
                         tail_words(facts.stderr_tail));
    case Outcome::worker_died:
      return fmt::format(FMT_COMPILE("{} {} during \"{}\": {}{}"), who, words(result.exit),
                         facts.command, result.detail, tail_words(facts.stderr_tail));
    default:
      return fmt::format(FMT_COMPILE("\"{}\" on {}: {}{}"), facts.command, who, result.detail,
                         tail_words(facts.stderr_tail));
  }
}

}  // namespace

std::string words(ExitStatus status) {
  if (status.code < 0) {
    return "ended, and how is not known: somebody else has reaped it (this program ignores "
           "SIGCHLD, "
           "or waits for any child)";
  }
  if (status.signal != 0) {
    const char* perhaps = status.signal == SIGKILL ? ", perhaps out of memory" : "";
    return fmt::format(FMT_COMPILE("was ended by signal {} ({}{})"), status.signal,
                       signal_name(status.signal), perhaps);
  }
  return fmt::format(FMT_COMPILE("exited with code {}"), status.code);
}

std::string words(const Activity& activity) {
  switch (activity.kind) {
    case Activity::Kind::stopped:
      return "the process is stopped (as by SIGSTOP)";
    case Activity::Kind::runs:
      return activity.cpu_percent > 0
                 ? fmt::format(FMT_COMPILE("the process runs at {} % CPU"), activity.cpu_percent)
                 : "the process runs";
    case Activity::Kind::waits:
      return "the process waits";
    case Activity::Kind::unknown:
      break;
  }
  return "";
}

std::string explain_start(WorkerId worker, const StartEvidence& evidence, const Config& config,
                          const StartWords& known) {
  return fmt::format(FMT_COMPILE("worker {} {}{}{}"), name_of(worker),
                     cause_words(evidence, config, known), tail_words(known.stderr_tail),
                     before_words(worker, known));
}

Error explain_refusal(const Refuse& refusal, const Config& config, const RefusalFacts& facts) {
  Error error;
  error.kind = refusal.why;
  error.phase = refusal.phase;
  error.cause = refusal.cause.cause;
  // These two refusals stay as they are: to ask again is of no use.
  const bool for_good = refusal.why == Outcome::pool_closed || refusal.why == Outcome::worker_gone;
  error.retryable = !for_good;
  const Duration waited = facts.now - refusal.waiting_since;
  error.after = waited;
  const std::string head =
      fmt::format(FMT_COMPILE("{} after {} ms: "), name(refusal.why), to_ms(waited));
  switch (refusal.why) {
    case Outcome::start_failed:
      error.worker = refusal.cause_worker;
      error.exit = refusal.cause.exit;
      error.stderr_tail = facts.cause.stderr_tail;
      error.first_bytes.assign(refusal.cause.first.data(), refusal.cause.first_size);
      error.message = head +
                      explain_start(refusal.cause_worker, refusal.cause, config, facts.cause) +
                      breaker_words(refusal);
      break;
    case Outcome::checkout_timeout:
      if (refusal.has_blocker) error.worker = refusal.blocker;
      error.message = head + timeout_words(refusal, config, facts);
      break;
    case Outcome::queue_full:
      error.message =
          fmt::format(FMT_COMPILE("queue_full: {} client(s) wait already (waiters_max {})"),
                      facts.gauges.waiting, config.waiters_max);
      break;
    case Outcome::worker_busy:
    case Outcome::worker_gone:
    case Outcome::sessions_full:
      if (refusal.why != Outcome::sessions_full) error.worker = refusal.blocker;
      error.message = head + session_words(refusal, config, facts);
      break;
    case Outcome::pool_closed:
      error.message = head + "the pool is closing or closed";
      break;
    default:
      error.message = head + "the client gave up";
      break;
  }
  return error;
}

Error explain_call(const wire::CallResult& result, const CallFacts& facts) {
  Error error;
  error.kind = facts.pool_closing ? Outcome::pool_closed : result.outcome;
  error.phase = result.phase;
  error.worker = facts.worker;
  error.exit = result.exit;
  error.truncated = result.truncated;
  if (error.kind == Outcome::call_timeout) error.after = facts.limit;
  error.stderr_tail = facts.stderr_tail;
  error.first_bytes = result.first_bytes;
  error.retryable = result.written_bytes == 0;
  const std::string said = call_words(result, facts);
  error.message =
      error.kind == Outcome::worker_error
          ? said
          : fmt::format(FMT_COMPILE("{} while {}: {}"), name(error.kind), name(result.phase), said);
  return error;
}

Error explain_lease_over(const std::string& command, std::string_view why) {
  Error error;
  error.kind = Outcome::lease_over;
  error.message =
      fmt::format("lease_over: the lease had ended before \"{}\"{}{}; nothing was written", command,
                  why.empty() ? "" : ", since ", why);
  error.retryable = true;
  return error;
}

Error explain_too_large(const std::string& command, const std::string& why) {
  Error error;
  error.kind = Outcome::request_too_large;
  error.message = "request_too_large: \"" + command + "\": " + why + "; nothing was written";
  return error;
}

Error explain_wrong_request(const std::string& command, const std::string& why) {
  Error error;
  error.kind = Outcome::protocol_error;
  error.message = "protocol_error: \"" + command + "\": " + why + "; nothing was written";
  return error;
}

}  // namespace poolproof::pool

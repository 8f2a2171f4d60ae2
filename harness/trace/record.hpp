#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "fake_workers/journal.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/outcome.hpp"
#include "harness/base/step_kind.hpp"
#include "harness/pool/effect.hpp"
#include "harness/pool/event.hpp"

/// The records of all witnesses of one run. In a file each record is one line; see jsonl.hpp.
namespace poolproof::trace {

/// Version 2 has the effect `stop` with a step; version 1 had `ask_shutdown`, `close_stdin`,
/// `signal`.
inline constexpr int kSchemaVersion = 2;

struct Header {
  std::string scenario;      ///< the scenario's name
  std::string world;         ///< "host" or "sim"
  std::string role = "run";  ///< "run", or "control": the same run without its faults
  std::uint64_t seed = 0;
  std::string version;        ///< the version of poolproof
  std::string scenario_json;  ///< the whole scenario, as text (an object in the file)
  std::string trouble;        ///< why the run shows less than it should; empty: it shows all
  bool endless = false;       ///< simulated: the limit of moves ended the run
};

/// The first witness: one step of one client, written by the client when the step ended. The
/// harness's own close at the end of a run is a step `close` of a client with an empty name.
struct ClientStep {
  Time begun;
  Time ended;
  std::string client;
  std::uint32_t repetition = 0;
  std::uint32_t step = 0;  ///< its index in the client's list
  StepKind kind = StepKind::checkout;
  /// Whether it is a part of a step `execute`: a checkout, a call or a check-in. The record of the
  /// step itself comes behind them, and has their client, repetition and step.
  bool part = false;
  std::optional<Time> since{};  ///< execute: when its first part began
  std::string session;          ///< checkout, execute, end_session: the session's name
  pool::Affinity affinity = pool::Affinity::any;
  bool skipped = false;  ///< it needs a lease, and there was none
  Outcome outcome = Outcome::ok;
  Phase phase = Phase::none;
  StartCause cause = StartCause::none;
  std::string message;             ///< what the pool said; empty when ok
  std::optional<Duration> limit;   ///< the timeout given: checkout, call, close
  LeaseId lease = LeaseId::none;   ///< checkout, call, checkin: the lease
  std::optional<WorkerId> worker;  ///< the worker of the lease, as the pool says
  std::string command;
  std::string nonce;        ///< sent with a call, `client:call`
  std::string reply_nonce;  ///< found in the reply; empty: none
  /// call: the result is not what the scenario says it must be, or, where it says nothing, not what
  /// an echo was given; call_bytes: the reply is not what the scenario says.
  bool reply_differs = false;
  std::uint64_t reply_hash = 0;  ///< call_bytes: hash of a reply that is not the request again
  std::string reply_shown;       ///< the beginning of a wrong or foreign reply, printable
  std::uint64_t written_bytes = 0;
  bool in_doubt = false;             ///< call: the stream is in doubt, so the lease is dirty
  bool retryable = false;            ///< the error says that a retry is safe
  bool truncated = false;            ///< the error says that the stream ended within a frame
  ExitStatus exit;                   ///< how its worker had ended, as the error says
  std::optional<Duration> after{};   ///< the limit or the wait that the error tells of
  std::uint64_t stderr_bytes = 0;    ///< how much of a worker's stderr the error brings
  std::optional<WorkerId> blamed{};  ///< the worker that the error names

  bool operator==(const ClientStep&) const = default;
};

/// The hash of a reply's bytes that a ClientStep notes (FNV-1a).
constexpr std::uint64_t hash_of_reply(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return hash;
}

/// The second witness: a line of a worker's journal.
using WorkerRecord = faults::StampedJournalRecord;

/// The third witness: a census of the operating system.
struct OsRecord {
  Time at;
  /// "before": the pool was not made yet; "quiescent": nothing was left to do; "after": it was
  /// closed and destroyed.
  std::string when;
  std::uint32_t children = 0;
  std::uint32_t zombies = 0;
  std::uint32_t descriptors = 0;
  std::uint32_t threads = 0;
  /// "after": each process of the run that is still there, as `pid 4711 (sleep 60)`.
  std::vector<std::string> survivors;
};

/// What the harness did to a worker from outside (step signal_worker).
struct EnvironmentRecord {
  Time at;
  WorkerId worker;
  int signal = 0;
  bool delivered = false;
};

/// The effects of one step: usually none or one, and then they need no memory of their own.
using Effects = boost::container::small_vector<pool::Effect, 1>;

/// The fourth witness, the pool itself: one event and the Core's orders.
struct PoolRecord {
  Time at;
  pool::Event event;
  Effects effects;
  std::size_t line = 0;  ///< its line in the file it was read from, from 1 on; not written
};

struct Trace {
  Header header;
  std::vector<ClientStep> clients;
  std::vector<WorkerRecord> workers;
  std::vector<OsRecord> os;
  std::vector<EnvironmentRecord> environment;
  std::vector<PoolRecord> pool;  ///< empty if the pool is somebody else's
};

}  // namespace poolproof::trace

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"

namespace poolproof::faults {

/// What a worker says about itself on the side channel (harness/PROTOCOL.md, section 5).
struct JournalRecord {
  enum class Kind : std::uint8_t {
    started,  ///< the first line of an incarnation
    read,   ///< request, id, command, nonce: a request was read whole, nothing is done about it yet
    wrote,  ///< request, bytes: the last byte of the reply is out
    receipt,     ///< fault, plan_id, request: the fault strikes
    stdin_end,   ///< the end of stdin was seen
    term,        ///< TERM was received, and the worker obeys it
    grandchild,  ///< child_pid: a process was left behind
    exiting,     ///< code: about to exit by itself
    misframed,   ///< text: a real worker, or its client, breaks the wire (poolproof wrap)
    goodbye,     ///< a real worker was told in its own protocol to exit (poolproof wrap)
  };

  Kind kind = Kind::started;
  /// The request's number, counted from 0 in each incarnation
  std::optional<std::uint64_t> request;
  std::optional<std::int64_t> id;  ///< of `read`: the request's id, if it is a whole number
  std::string other_id;            ///< of `read`: any other id, as noted_id() gives it; empty: none
  std::optional<std::string> command;  ///< of `read`: none if the request has no sound one
  std::optional<std::string> nonce;    ///< of `read`: the nonce `client:call`
  std::uint64_t bytes = 0;     ///< of `wrote`: all that was written to stdout for this request
  std::string fault;           ///< of `receipt`: the fault's name in the catalogue
  std::string plan_id;         ///< of `receipt`: the fault's id in the plan
  int code = 0;                ///< of `exiting`: the exit code
  std::int64_t child_pid = 0;  ///< of `grandchild`: the pid of the process left behind
  std::string text;            ///< of `misframed`: who broke which rule of the wire
  bool operator==(const JournalRecord&) const = default;

  /// For `read`: whether the request has an id, so that an answer is due.
  [[nodiscard]] bool has_id() const { return id.has_value() || !other_id.empty(); }
};

/// How a journal notes an id that is no whole number of 64 bits: its JSON, or the beginning of that
/// if it is long.
std::string noted_id(std::string_view json);

std::string_view name(JournalRecord::Kind kind);

/// An empty record of that kind.
JournalRecord record_of(JournalRecord::Kind kind);

/// A record with what the world adds to it.
struct StampedJournalRecord {
  Time at;  ///< CLOCK_MONOTONIC on the host, virtual time in the simulator
  WorkerId worker;
  std::int64_t pid = 0;
  JournalRecord record;
  bool operator==(const StampedJournalRecord&) const = default;
};

/// One line of JSON, line feed included. Text from outside is made well-formed UTF-8.
/// Units: `at_us` is microseconds; the line says milliseconds with three decimals.
std::string journal_line(const JournalRecord& record, std::int64_t at_us, WorkerId worker,
                         std::int64_t pid);

/// Reads one line back (the line feed may be there or not). Unknown keys are allowed, so that a
/// worker of another make may say more; an unknown kind, a missing key or a wrong type is an error
/// that names `where` and the key.
Parsed<StampedJournalRecord> read_journal_line(std::string_view line, const std::string& where);

}  // namespace poolproof::faults

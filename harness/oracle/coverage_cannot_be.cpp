
#include "fake_workers/needs.hpp"
#include "harness/oracle/coverage.hpp"

/// The cells of the matrix that no run can reach, each with its reason. All other empty cells are
/// gaps of the sweep.
namespace poolproof::oracle {
namespace {

using faults::Fault;
using faults::Moment;

std::string_view situation_cannot_be(WorkerPhase phase, PoolMood mood) {
  if (phase == WorkerPhase::idle && mood == PoolMood::busy) {
    return "a pool with an idle worker and nobody waiting is not busy, it has one to spare";
  }
  const bool told_at_close = phase == WorkerPhase::starting || phase == WorkerPhase::handshake ||
                             phase == WorkerPhase::idle;
  if (told_at_close && mood == PoolMood::closing) {
    return "close tells every worker that is not leased to go, in the same step";
  }
  return "";
}

std::string_view start_cannot_be(WorkerPhase phase) {
  if (phase == WorkerPhase::handshake || phase == WorkerPhase::idle) {
    return "it strikes before the worker's first request is read";
  }
  return "";  // in_call: a pool without an init ping leases workers that have read nothing
}

std::string_view launch_cannot_be(WorkerPhase phase) {
  const bool ran = phase != WorkerPhase::starting && phase != WorkerPhase::leaving;
  return ran ? "it strikes before there is a worker that could be greeted or leased" : "";
}

std::string_view request_cannot_be(WorkerPhase phase) {
  if (phase == WorkerPhase::starting) return "it strikes only at a request that was read";
  if (phase == WorkerPhase::idle) {
    return "it strikes with a request in hand, and an idle worker has none";
  }
  return "";
}

std::string_view shutdown_cannot_be(const Fault& fault, WorkerPhase phase) {
  // TERM from outside may come at any time; a client may send the shutdown request itself.
  const bool by_request = fault.strikes_at == faults::Reasons{.request = true};
  if (by_request && phase != WorkerPhase::leaving && phase != WorkerPhase::in_call) {
    return "it strikes at a shutdown request, which is sent to a worker told to go, or by a client";
  }
  if (!fault.strikes_at.term && phase == WorkerPhase::idle) {
    return "the pool closes no idle worker's stdin, and a client's shutdown request is a call";
  }
  return "";
}

}  // namespace

std::string_view reason_it_cannot_be(const Fault& fault, WorkerPhase phase, PoolMood mood) {
  if (const auto reason = situation_cannot_be(phase, mood); !reason.empty()) return reason;
  switch (fault.moment) {
    case Moment::start:
      return start_cannot_be(phase);
    case Moment::reading:
      return "";  // the worker may have anything in hand, or nothing
    case Moment::request:
    case Moment::reply:
      if (phase == WorkerPhase::handshake && !faults::can_strike_at_greeting(fault))
        return "it strikes at text that a client said, and the answer to a greeting has none";
      return request_cannot_be(phase);
    case Moment::idle:
      return phase == WorkerPhase::starting ? "it strikes only after a reply" : "";
    case Moment::shutdown:
      return shutdown_cannot_be(fault, phase);
    case Moment::launch:
      return launch_cannot_be(phase);
  }
  return "";
}

}  // namespace poolproof::oracle

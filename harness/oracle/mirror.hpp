#pragma once

#include <map>
#include <set>
#include <vector>

#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

/// The pool as its own testimony tells it: events and effects applied record by record to a book
/// kept apart from the Core, in which every broken rule of the pool's house becomes a finding.
///
/// Exact (no lateness is allowed): all of it speaks of what one step does at once. Where testimony
/// cannot show what the Core knows (how long a slot cools) it stays silent.
class Mirror {
 public:
  explicit Mirror(const Evidence& evidence);

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

 private:
  enum class State : std::uint8_t { starting, greeting, idle, leased, leaving };
  struct Incarnation {
    State state = State::starting;
    Time since;           ///< the order to start
    bool served = false;  ///< has had a clean lease
  };
  struct Slot {
    std::uint32_t failures = 0;  ///< incarnations in a row that were of no use
    bool may_cool = false;       ///< the last one was of no use
    Time cooled_from;
  };

  void take(const trace::PoolRecord& record);
  void expire_starts();

  void happened(const pool::CheckoutRequested& event);
  void happened(const pool::CheckedIn& event);
  void happened(const pool::LeaseRevoked& event);
  void happened(const pool::Started& event);
  void happened(const pool::StartFailed& event);
  void happened(const pool::HandshakeEnded& event);
  void happened(const pool::Exited& event);
  void happened(const pool::CloseRequested&) { closing_ = true; }
  template <class Other>
  void happened(const Other&) {}

  void ordered(const pool::Grant& effect);
  void ordered(const pool::Refuse& effect);
  void ordered(const pool::Start& effect);
  void ordered(const pool::Signal& effect);
  void ordered(const pool::AskShutdown& effect);
  void ordered(const pool::CloseStdin& effect);
  void ordered(const pool::Handshake& effect);
  void ordered(const pool::Forget& effect);
  void ordered(const pool::Closed& effect);

  void answer(CheckoutId checkout, bool granted);
  void put_away(WorkerId worker, bool spent);
  void failed_start(WorkerId worker);
  void judge_start(WorkerId worker);
  void judge_waiting();
  void judge_end();

  Incarnation* living(WorkerId worker);
  [[nodiscard]] std::uint32_t count(State state) const;
  [[nodiscard]] std::uint32_t under_way() const {
    return count(State::starting) + count(State::greeting);
  }
  [[nodiscard]] std::uint32_t under_way_limit() const;
  [[nodiscard]] bool breaker_open() const;
  [[nodiscard]] bool surely_vacant(std::uint32_t slot) const;
  [[nodiscard]] Duration least_pause(std::uint32_t failures) const;
  void report(const char* invariant, std::string what);

  const pool::Config& config_;
  const trace::PoolRecord* record_ = nullptr;  ///< the one being taken
  Time now_ = Time::min();
  std::map<WorkerId, Incarnation> workers_;  ///< started and not forgotten
  std::set<WorkerId> forgotten_;
  std::map<std::uint32_t, Slot> slots_;
  std::map<LeaseId, WorkerId> leases_;
  std::map<CheckoutId, bool> asked_;  ///< answered?
  std::vector<CheckoutId> waiting_;
  std::uint32_t failures_ = 0;  ///< failed starts in a row
  Time last_failure_ = Time::min();
  bool closing_ = false;
  bool closed_ = false;
  std::vector<Finding> findings_;
};

}  // namespace poolproof::oracle

#pragma once

#include <array>
#include <functional>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "harness/oracle/ladder.hpp"
#include "harness/oracle/numbering.hpp"
#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

/// How many there were of each at one moment, as the testimony tells.
struct Standing {
  std::uint32_t waiting = 0;
  std::uint32_t starting = 0;
  std::uint32_t greeting = 0;
  std::uint32_t idle = 0;
  std::uint32_t leased = 0;
  std::uint32_t leaving = 0;
};

/// What the pool says of one lease.
struct LeaseStory {
  std::optional<WorkerId> granted;     ///< the first time
  std::optional<bool> returned_clean;  ///< the first time
};

/// A worker that the pool made go.
struct PutAway {
  WorkerId worker;
  Time at;
};

/// The pool as its own testimony tells it: events and effects applied record by record to a book
/// kept apart from the Core, in which every broken rule of the pool's house becomes a finding.
///
/// Exact in both worlds (no lateness is allowed): all of it speaks of what one step does at once.
/// Where testimony cannot show what the Core knows (how long a slot cools) it stays silent.
/// Cost: linear in the testimony. A rule that stays broken from record to record is told once.
class Mirror {
 public:
  explicit Mirror(const Evidence& evidence, Memory* memory = std::pmr::get_default_resource());

  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  /// The leases of which the pool speaks, by their numbers. kNone: it does not speak of that one.
  [[nodiscard]] std::uint32_t leases() const { return lease_numbers_.size(); }
  [[nodiscard]] std::uint32_t number_of(LeaseId lease) const { return lease_numbers_.find(lease); }
  [[nodiscard]] const LeaseStory& lease(std::uint32_t number) const {
    return leases_[number].story;
  }
  /// Whomever it turned away.
  [[nodiscard]] const Table<const pool::Refuse*>& refusals() const { return refusals_; }
  /// Of greetings that ended badly.
  [[nodiscard]] const Table<const trace::PoolRecord*>& bad_greetings() const {
    return bad_greetings_;
  }
  /// Whom a closing pool took back from its client when it had drained long enough.
  [[nodiscard]] const Table<PutAway>& taken_back() const { return taken_back_; }
  /// Who was put away because of its output, and when.
  [[nodiscard]] const Table<PutAway>& strayed() const { return strayed_; }
  /// Whoever was asked to go and had not gone when the grace was over.
  [[nodiscard]] const Table<WorkerId>& deaf() const { return deaf_; }
  /// How the pool stood just before it was asked to close the last time; else at the end.
  [[nodiscard]] Standing before_last_close() const { return last_close_.value_or(standing()); }
  /// When the last start was answered that the pool had no use for any more; Time::min(): none was.
  [[nodiscard]] Time last_late_start() const { return late_start_; }

 private:
  enum class State : std::uint8_t { starting, greeting, idle, leased, leaving, over };
  struct Worker {
    State state = State::over;
    bool served = false;  ///< has had a clean lease
    Time since;           ///< the order to start
    Time greeted;         ///< its process was there
    const trace::PoolRecord* ordered_in = nullptr;
    std::uint32_t newer = kNone;  ///< idle: the one that became so next
    std::uint32_t older = kNone;  ///< idle: the one that had become so before
  };
  struct Slot {
    std::uint32_t occupants = 0;  ///< incarnations there that have not been told to go
    std::uint32_t failures = 0;   ///< incarnations in a row that were of no use
    bool may_cool = false;        ///< the last one was of no use
    Time cooled_from;
    [[nodiscard]] bool held() const { return occupants > 0 || may_cool; }
  };
  struct Asked {
    CheckoutId checkout;
    Time deadline;
    const trace::PoolRecord* in = nullptr;
    bool answered = false;
  };
  struct Lease {
    LeaseStory story;
    std::uint32_t holds = kNone;  ///< the worker's number while the lease goes on
  };
  /// What is wrong now and was so after the last record already.
  struct Told {
    bool beside_idle = false;
    bool beside_vacant = false;
    bool crowded = false;
    bool queue = false;
    bool leaving = false;
    [[nodiscard]] bool bounds() const { return crowded || queue || leaving; }
    bool refill = false;
    bool drained = false;
  };
  /// When the longest pause of a slot is over.
  struct Cooling {
    Time until;
    std::uint32_t slot;
    bool operator>(const Cooling& other) const { return until > other.until; }
  };

  void take(const trace::PoolRecord& record);
  void judge_record();
  void expire_starts();

  void happened(const pool::CheckoutRequested& event);
  void happened(const pool::CheckedIn& event);
  void happened(const pool::LeaseRevoked& event);
  void happened(const pool::Started& event);
  void happened(const pool::StartFailed& event);
  void happened(const pool::HandshakeEnded& event);
  void happened(const pool::OutputStrayed& event);
  void happened(const pool::Exited& event);
  void happened(const pool::CloseRequested& event);
  template <class Other>
  void happened(const Other&) {}

  void ordered(const pool::Grant& effect);
  void ordered(const pool::Refuse& effect);
  void ordered(const pool::Start& effect);
  void ordered(const pool::Stop& effect);
  void ordered(const pool::Handshake& effect);
  void ordered(const pool::Forget& effect);
  void ordered(const pool::Closed& effect);

  /// Its place in `asked_`; kNone (and told) when it can't be answered.
  std::uint32_t answer(CheckoutId checkout);
  void put_away(std::uint32_t worker, bool spent);
  void failed_start(std::uint32_t worker, StartCause cause);
  void of_no_use(std::uint32_t worker);
  void judge_start(WorkerId worker);
  void judge_waiting();
  void judge_bounds();
  void report_bounds();
  void judge_end();

  // mirror_ladder.cpp
  void judge_push(std::uint32_t worker, Rung rung, pool::RemovalReason why);
  [[nodiscard]] Rung first_rung(std::uint32_t worker, Rung rung, pool::RemovalReason why) const;
  [[nodiscard]] bool is_caused(std::uint32_t worker, pool::RemovalReason why) const;
  void judge_ladder();
  void judge_greetings();
  [[nodiscard]] Duration longest_greeting() const {
    return config_.startup_budget + config_.postmortem_budget + config_.silence_max;
  }
  void judge_patience(std::uint32_t worker, const pool::StartEvidence& evidence);

  // mirror_starts.cpp
  void cools(std::uint32_t slot);
  void judge_cooled();
  /// An eager pool fills its slots; one whose breaker half-opens tries one start.
  [[nodiscard]] bool lacks_a_start() const {
    if (closing_ || count(State::leaving) >= config_.leaving_max) return false;
    return breaker_open() ? lacks_a_probe()
                          : config_.start == pool::StartMode::eager && held_ < config_.size &&
                                under_way() < under_way_limit();
  }
  [[nodiscard]] bool lacks_a_probe() const;
  void judge_refill(bool lacks);
  void judge_handshake(std::uint32_t worker, const pool::Handshake& order);

  // mirror_choices.cpp
  void judge_reuse(std::uint32_t worker);
  void judge_refusal(const pool::Refuse& refusal, const Asked& asked);
  void judge_due(const pool::Refuse& refusal, const Asked& asked);
  void judge_turned_away(const pool::Refuse& refusal);
  void judge_blocker(const pool::Refuse& refusal, const Asked& asked);
  /// Whose start was ordered first of those that go on. Requires: some do.
  [[nodiscard]] std::uint32_t first_under_way();
  [[nodiscard]] bool is_begun_since(const Asked& asked) const;
  [[nodiscard]] bool is_settled() const;
  void link_idle(std::uint32_t worker);
  void unlink_idle(std::uint32_t worker);

  /// The number of an incarnation that was started and is not over; else kNone.
  [[nodiscard]] std::uint32_t living(WorkerId worker) const {
    const std::uint32_t found = ids_.find(worker);
    return found == kNone || workers_[found].state == State::over ? kNone : found;
  }
  void enter(std::uint32_t worker, State state);
  void occupy(std::uint32_t worker, bool present);
  Slot& slot_of(std::uint32_t worker) {
    const std::uint32_t slot = ids_.key(worker).slot;
    return slot < slots_.size() ? slots_[slot] : stray_;
  }
  template <class Change>
  void change(Slot& slot, Change what);
  [[nodiscard]] CheckoutId first_waiting();
  [[nodiscard]] std::uint32_t count(State state) const {
    return counts_[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::uint32_t under_way() const {
    return count(State::starting) + count(State::greeting);
  }
  /// In slots, and not told to go.
  [[nodiscard]] std::uint32_t present() const {
    return under_way() + count(State::idle) + count(State::leased);
  }
  [[nodiscard]] Standing standing() const;
  [[nodiscard]] std::uint32_t under_way_limit() const {
    return config_.init_mode == pool::InitMode::blocking ? 1 : config_.starts_max;
  }
  [[nodiscard]] bool breaker_open() const {
    return config_.breaker_failures > 0 && failures_ >= config_.breaker_failures;
  }
  /// Whoever is idle may be leased.
  [[nodiscard]] bool may_grant() const {
    return config_.init_mode == pool::InitMode::async || under_way() == 0;
  }
  /// No worker lives and none will be tried before the breaker half-opens.
  [[nodiscard]] bool is_hopeless() const {
    return breaker_open() && now_ < after(last_failure_, config_.breaker_open) && present() == 0;
  }
  [[nodiscard]] std::uint32_t first_vacant() const;
  [[nodiscard]] Duration least_pause(std::uint32_t failures) const;
  [[nodiscard]] Duration longest_pause(std::uint32_t failures) const;
  void report(const char* invariant, std::string what);
  /// True once for as long as something stays wrong.
  static bool newly(bool wrong, bool& told) { return !std::exchange(told, wrong) && wrong; }

  const pool::Config& config_;
  const Duration lateness_;                    ///< of what the world tells; the Core has none
  const trace::PoolRecord* record_ = nullptr;  ///< the one being taken
  Time now_ = Time::min();
  Numbering<WorkerId> ids_;
  Table<Worker> workers_;                  ///< every one that was ever started
  std::array<std::uint32_t, 6> counts_{};  ///< by state
  Table<std::uint32_t> starting_;          ///< in the order of their orders
  std::size_t oldest_start_ = 0;           ///< those before are no longer starting
  std::size_t oldest_under_way_ = 0;       ///< those before neither start nor greet any more
  Table<Slot> slots_;                      ///< as far as they have been used
  Slot stray_;                             ///< of workers outside of the pool
  std::uint32_t held_ = 0;                 ///< slots that are surely not vacant, or may cool
  DirectNumbering<LeaseId> lease_numbers_;
  Table<Lease> leases_;
  SerialNumbering<CheckoutId> checkout_numbers_;
  Table<Asked> asked_;
  Table<const pool::Refuse*> refusals_;
  Table<const trace::PoolRecord*> bad_greetings_;
  Table<PutAway> taken_back_;
  Table<PutAway> strayed_;
  Table<WorkerId> deaf_;
  std::size_t first_ = 0;  ///< all before it are answered
  std::uint32_t waiting_ = 0;
  std::uint32_t failures_ = 0;  ///< failed starts in a row
  Time last_failure_ = Time::min();
  Time late_start_ = Time::min();
  Time expiry_due_ = kNever;    ///< no start is given up before
  Time greeting_due_ = kNever;  ///< no greeting has to be over before
  bool closing_ = false;
  bool closed_ = false;
  std::optional<Standing> last_close_;
  Told told_;
  Ladder ladder_;
  std::size_t oldest_greeting_ = 0;  ///< in starting_; those before are past their greeting
  std::uint32_t newest_idle_ = kNone;
  std::uint32_t oldest_idle_ = kNone;
  std::priority_queue<Cooling, Table<Cooling>, std::greater<>> cooling_;
  CheckoutId spent_ = CheckoutId::none;  ///< asked by this record, with no time left
  bool given_up_ = false;                ///< by this record, without a word
  Time gave_up_at_ = kNever;             ///< when the first of those starts was
  Time failure_before_ = Time::min();    ///< the last failure before them
  bool failed_now_ = false;              ///< a start, by this record
  std::optional<WorkerId> last_failed_;
  StartCause last_cause_ = StartCause::none;
  std::vector<Finding> findings_;
};

inline void Mirror::enter(std::uint32_t worker, State state) {
  const auto present = [](State one) { return one < State::leaving; };
  const State before = std::exchange(workers_[worker].state, state);
  --counts_[static_cast<std::size_t>(before)];
  ++counts_[static_cast<std::size_t>(state)];
  if (before == State::idle) unlink_idle(worker);
  if (state == State::idle) link_idle(worker);
  if (present(before) != present(state)) occupy(worker, present(state));
}

template <class Change>
void Mirror::change(Slot& slot, Change what) {
  const bool counts = &slot != &stray_;
  if (counts && slot.held()) --held_;
  what(slot);
  if (counts && slot.held()) ++held_;
}

}  // namespace poolproof::oracle

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "harness/base/dispatch.hpp"
#include "harness/oracle/numbering.hpp"
#include "harness/pool/config.hpp"
#include "harness/trace/record.hpp"

namespace poolproof::oracle {

/// How many clients waited, and how many workers were leased or leaving, at one moment.
struct Standing {
  std::uint32_t waiting = 0;
  std::uint32_t leased = 0;
  std::uint32_t leaving = 0;
};

/// What the pool says of one lease.
struct LeaseStory {
  std::optional<WorkerId> granted;     ///< the worker, by the lease's first grant
  std::optional<bool> returned_clean;  ///< whether its first check-in was clean
};

/// A worker that the pool made go.
struct PutAway {
  WorkerId worker;
  Time at;
};

/// Facts of the self-report for those who compare it with other witnesses.
struct Noted {
  Table<const pool::Refuse*> refusals;  ///< what refused clients were told
  Table<const trace::PoolRecord*> bad_handshakes;
  /// Leased workers that a closing pool took back when it had drained long enough
  Table<PutAway> taken_back;
  Table<PutAway> unsolicited;  ///< workers put away because of their output
  Table<PutAway> deaf;         ///< workers asked to go that had not gone when the grace was over
  /// When the process of a start that the pool had given up last came up or failed to.
  Time late_start = Time::min();
};

/// The pool as its self-report tells it: a model kept apart from the Core, to which the events and
/// effects are applied record by record. It holds what follows from an event: who is idle, who has
/// to be stopped by which step, and when. What was due by the time of a record comes before its
/// event.
///
/// The model judges nothing. Classes that judge, or look for what is rare, derive from it and are
/// called before each event and each effect is applied: the promises, the coverage, the property of
/// the Core. It is exact in both worlds, for it covers only what one step of the Core does at once.
/// Cost: about linear in the self-report.
class ReferenceModel {
 public:
  enum class State : std::uint8_t { starting, handshake, idle, leased, pinging, leaving, over };

  /// `records`: about how many will be taken. `config` must not change while the model lives.
  ReferenceModel(const pool::Config& config, Memory* memory, std::size_t records);
  ReferenceModel(const ReferenceModel&) = delete;
  ReferenceModel& operator=(const ReferenceModel&) = delete;
  virtual ~ReferenceModel() = default;

  void take(const trace::PoolRecord& record);

  /// The worker's state; `over` also for a worker that was never started.
  [[nodiscard]] State state(WorkerId worker) const {
    const std::uint32_t number = ids_.find(worker);
    return number == kNone ? State::over : workers_[number].state;
  }
  [[nodiscard]] bool was_started(WorkerId worker) const { return ids_.find(worker) != kNone; }
  /// Nobody holds the worker: it is idle, or is being pinged and may be idle again.
  static bool is_at_rest(State state) { return state == State::idle || state == State::pinging; }
  [[nodiscard]] std::uint32_t count(State state) const {
    return counts_[static_cast<std::size_t>(state)];
  }
  [[nodiscard]] std::uint32_t under_way() const {
    return count(State::starting) + count(State::handshake);
  }
  /// The number of workers in slots, not counting those told to go.
  [[nodiscard]] std::uint32_t present() const {
    return under_way() + count(State::idle) + count(State::leased) + count(State::pinging);
  }
  [[nodiscard]] std::uint32_t waiting() const { return waiting_; }
  /// The number of waiting clients that any worker may serve.
  [[nodiscard]] std::uint32_t waiting_for_any() const {
    return waiting_ - static_cast<std::uint32_t>(bound_.size());
  }
  [[nodiscard]] std::uint32_t sessions() const { return open_sessions_; }
  [[nodiscard]] bool closing() const { return closing_; }
  [[nodiscard]] bool suspended() const { return suspended_; }
  /// How many workers an eager pool keeps alive.
  [[nodiscard]] std::uint32_t kept() const { return kept_; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool breaker_open() const {
    return config_.breaker_failures > 0 && failures_ >= config_.breaker_failures;
  }

  /// The leases that the self-report names, numbered; number_of() is kNone for any other.
  [[nodiscard]] std::uint32_t leases() const { return lease_numbers_.size(); }
  [[nodiscard]] std::uint32_t number_of(LeaseId lease) const { return lease_numbers_.find(lease); }
  [[nodiscard]] const LeaseStory& lease(std::uint32_t number) const {
    return leases_[number].story;
  }
  [[nodiscard]] const Noted& noted() const { return noted_; }
  /// The state of the pool just before it was last asked to close; if it never was: at the end.
  [[nodiscard]] Standing before_last_close() const { return last_close_.value_or(standing()); }

 protected:
  /// The step of the stop ladder that a worker comes to next, and when. kNever: none is known.
  struct NextStop {
    pool::StopStep step = pool::StopStep::ask;
    pool::RemovalReason why = pool::RemovalReason::none;
    Time due = kNever;
  };
  struct Worker {
    State state = State::over;
    bool running = false;                 ///< its process exists
    bool served = false;                  ///< it has had a clean lease
    std::optional<pool::StopStep> taken;  ///< the last step of the stop ladder that was taken
    bool recycled = false;                ///< it was let go for no fault of its own
    NextStop next;
    Time since;                      ///< when its start was ordered
    Time greeted;                    ///< when its process was there
    Time ready;                      ///< when its handshake ended well
    Time idle_since;                 ///< when it became ready or came back; pings do not change it
    Time ping_from;                  ///< idle_since, or when its last ping ended
    Time measured_at;                ///< idle_since, or when its memory was last asked for
    std::uint64_t turn = 0;          ///< its place in the order in which workers became idle
    std::uint32_t calls = 0;         ///< how many calls it had been sent when it last came back
    std::uint64_t rss_bytes = 0;     ///< the most memory that it was seen with
    bool renewed = false;            ///< it is older than the last renewal
    std::uint32_t begun_after = 0;   ///< how many clients had asked before its start
    std::uint32_t session = kNone;   ///< the number of its lease's session
    std::uint32_t previous = kNone;  ///< its neighbours in the list of its state
    std::uint32_t following = kNone;
  };
  /// The workers in one state, in the order in which they came into it.
  struct Line {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };
  struct Slot {
    std::uint32_t occupants = 0;    ///< incarnations in it that have not been told to go
    std::uint32_t generations = 0;  ///< how many incarnations it has had
    std::uint32_t failures = 0;     ///< incarnations in a row that were of no use
    /// Earlier incarnations that must have gone before the next may start
    std::uint32_t awaited = 0;
    bool may_cool = false;  ///< its last incarnation was of no use: it may be in a pause
    Time cooled_from;
    [[nodiscard]] bool taken() const { return occupants > 0 || awaited > 0; }
    [[nodiscard]] bool held() const { return taken() || may_cool; }
  };
  struct CheckoutRequest {
    CheckoutId checkout;
    Time at;
    Time deadline;
    std::uint64_t in = 0;  ///< the number of the record that brought it
    bool answered = false;
    pool::SessionUse use{};
    std::uint32_t session = kNone;   ///< the session's number; kNone: none, or it was not let in
    bool has_no_room = false;        ///< its session is one more than there may be
    std::optional<WorkerId> only{};  ///< the only worker that may serve it
    bool told = false;               ///< something wrong about its wait has been reported
  };
  struct Session {
    bool lives = false;
    bool ended = false;              ///< it was ended: it is over with its last waiter and lease
    bool ends_now = false;           ///< it must be over by the end of this record
    bool is_strict = false;          ///< the session keeps its first worker
    std::optional<WorkerId> worker;  ///< the worker that served it, the last one if not strict
    std::uint32_t waiting = 0;
    std::uint32_t leases = 0;
    Time idle_until = kNever;
  };
  struct Lease {
    LeaseStory story;
    std::uint32_t holds = kNone;  ///< the worker's number as long as the lease goes on
  };

  /// When something is due, and the number of its worker, slot or session.
  struct Timer {
    Time due;
    std::uint32_t number;
  };
  static bool is_due(const Table<Timer>& timers, Time before) {
    return !timers.empty() && timers.front().due < before;
  }
  static void start_timer(Table<Timer>& timers, const Timer& timer);
  static std::uint32_t pop_timer(Table<Timer>& timers);

  // Hooks for the derived classes.
  virtual void before(const pool::Event& /*event*/) {}
  virtual void before(const pool::Effect& /*effect*/) {}
  /// A start has failed, and is not yet counted in failures_.
  virtual void before_failure(std::uint32_t /*worker*/, StartCause /*cause*/) {}
  /// The record is over, and a step that was due has not been taken with the worker.
  virtual void missed(std::uint32_t /*worker*/, pool::StopStep /*step*/) {}
  virtual void record_over() {}

  /// The number of an incarnation that was started and is not over; else kNone.
  [[nodiscard]] std::uint32_t living(WorkerId worker) const {
    const std::uint32_t found = ids_.find(worker);
    return found == kNone || workers_[found].state == State::over ? kNone : found;
  }
  /// The number of the worker that is leased by that lease; kNone: the lease is not open.
  [[nodiscard]] std::uint32_t holder(LeaseId lease) const;
  /// The place in `asked_` of a client that waits; else kNone.
  [[nodiscard]] std::uint32_t waiter(CheckoutId checkout) const {
    const std::uint32_t place = checkout_numbers_.find(checkout);
    return place == kNone || asked_[place].answered ? kNone : place;
  }
  /// The place of the first waiting client that any worker may serve; kNone: there is none.
  [[nodiscard]] std::uint32_t first_waiter();
  /// The place of the first waiting client that an idle worker may serve; kNone: there is none.
  [[nodiscard]] std::uint32_t first_to_serve();
  [[nodiscard]] std::uint32_t under_way_limit() const {
    return config_.init_mode == pool::InitMode::blocking ? 1 : config_.starts_max;
  }
  /// Whether idle workers may be leased at this time.
  [[nodiscard]] bool may_grant() const {
    return !suspended_ && (config_.init_mode == pool::InitMode::async || under_way() == 0);
  }
  /// Whether no worker lives, and no start will be tried before the breaker half-opens.
  [[nodiscard]] bool is_hopeless() const {
    return breaker_open() && now_ < after(last_failure_, config_.breaker_open) && present() == 0;
  }
  /// How long a start may take at most, with all its budgets.
  [[nodiscard]] Duration longest_start() const {
    return config_.startup_budget + config_.postmortem_budget + config_.silence_max;
  }
  [[nodiscard]] Duration longest_pause(std::uint32_t failures) const;
  /// Whether a worker may be recycled: no other is being recycled or started, the breaker is
  /// closed.
  [[nodiscard]] bool may_recycle() const {
    return !closing_ && !breaker_open() && recycling_ == 0 && under_way() == 0;
  }
  [[nodiscard]] Standing standing() const {
    return {waiting_, count(State::leased), count(State::leaving)};
  }

  const pool::Config& config_;
  Memory* const memory_;
  const trace::PoolRecord* record_ = nullptr;  ///< the record being taken
  std::uint64_t records_ = 0;                  ///< how many records have been taken, with this one
  Time now_ = Time::min();
  Numbering<WorkerId> ids_{memory_};
  Table<Worker> workers_{memory_};  ///< every worker that was ever started
  Line under_way_;
  Line idle_;
  Table<Slot> slots_{memory_};  ///< the slots that have been used so far
  std::uint32_t held_ = 0;      ///< how many slots are taken or may cool
  std::uint32_t taken_ = 0;     ///< how many slots can have no start, not even the breaker's probe
  Numbering<LeaseId> lease_numbers_{memory_};
  Table<Lease> leases_{memory_};
  Numbering<CheckoutId> checkout_numbers_{memory_};
  Table<CheckoutRequest> asked_{memory_};
  std::uint32_t waiting_ = 0;
  /// Places in asked_ of clients that wait for one worker, in order
  Table<std::uint32_t> bound_{memory_};
  Numbering<SessionId> session_numbers_{memory_};
  Table<Session> sessions_{memory_};
  Table<Timer> session_timers_{memory_};  ///< a heap: when idle sessions will be over
  /// Sessions that must be over by the end of this record
  Table<std::uint32_t> session_ends_{memory_};
  std::uint32_t open_sessions_ = 0;  ///< sessions that have not been ended
  std::uint32_t failures_ = 0;       ///< failed starts in a row
  Time last_failure_ = Time::min();
  /// The worker of the last failed start; nothing: several failed at once
  std::optional<WorkerId> last_failed_;
  StartCause last_cause_ = StartCause::none;
  bool failed_now_ = false;  ///< a start failed in this record
  /// The record's event has been applied; what was due comes before it
  bool has_happened_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool time_is_up_ = false;  ///< the closing pool's time is up: all workers are to be killed
  bool suspended_ = false;
  std::uint32_t recycling_ = 0;     ///< how many workers were recycled and are not gone
  std::uint32_t kept_ = 0;          ///< how many workers an eager pool keeps alive
  std::uint32_t returned_ = kNone;  ///< the worker that came back clean in this record
  std::uint32_t greet_ = kNone;     ///< the worker that started in this record, to be greeted
  std::uint32_t ending_ = kNone;    ///< the worker that ended in this record, to be forgotten

 private:
  /// A step that must be taken with a worker in this very record.
  struct Awaited {
    std::uint32_t worker;
    pool::StopStep step;
  };

  // What is due without any event.
  void begin_close_steps();
  [[nodiscard]] bool follows(const pool::Refuse& refused, const CheckoutRequest& asked) const;
  [[nodiscard]] Time due_of(const pool::Effect& effect) const;
  void expire(Time before);
  void fall_due(std::uint32_t worker);
  void end_cooling();

  void happened(const pool::CheckoutRequested& event);
  void happened(const pool::CheckedIn& event);
  void happened(const pool::LeaseRevoked& event);
  void happened(const pool::Started& event);
  void happened(const pool::StartFailed& event);
  void happened(const pool::HandshakeEnded& event);
  void happened(const pool::UnsolicitedOutput& event);
  void happened(const pool::Exited& event);
  void happened(const pool::CloseRequested& event);
  void happened(const pool::SessionEnded& event);
  void happened(const pool::RenewRequested& event);
  void happened(const pool::PingEnded& event);
  void happened(const pool::MemoryMeasured& event);
  void happened(const pool::SuspendRequested&) { suspended_ = !closing_; }
  void happened(const pool::ResumeRequested&) { suspended_ = false; }
  template <class Other>
  void happened(const Other&) {}

  void apply(const pool::Effect& effect);
  void ordered(const pool::Grant& effect);
  void ordered(const pool::Refuse& effect);
  void ordered(const pool::Start& effect);
  void ordered(const pool::BeginHandshake&) { greet_ = kNone; }
  void ordered(const pool::Stop& effect);
  void ordered(const pool::Forget& effect);
  void ordered(const pool::Closed&);
  void ordered(const pool::SessionOver& effect);
  void ordered(const pool::BeginPing& effect);
  void ordered(const pool::MeasureMemory& effect);

  /// must_stop: the worker must be stopped in this very record; will_stop: when that time has come.
  void must_stop(std::uint32_t worker, pool::StopStep step, pool::RemovalReason why);
  void will_stop(std::uint32_t worker, const NextStop& next);
  void look_for_missed();
  [[nodiscard]] Duration grace(pool::StopStep step) const;
  void answer(CheckoutId checkout);
  void ask_in_session(CheckoutRequest& asked);
  void serve_in_session(std::uint32_t place, std::uint32_t worker);
  void turn_away_in_session(const CheckoutRequest& asked);
  void give_back(std::uint32_t worker);
  void end_session(std::uint32_t number);
  void rest(std::uint32_t number);
  void failed_start(std::uint32_t worker, StartCause cause);
  void count_useless_worker(std::uint32_t worker);
  void enter(std::uint32_t worker, State state);
  void link(Line& line, std::uint32_t worker);
  void link_in_turn(std::uint32_t worker);
  void unlink(Line& line, std::uint32_t worker);
  Line* line_of(State state);
  Slot& slot_of(std::uint32_t worker) {
    const std::uint32_t slot = ids_.key(worker).slot;
    return slot < slots_.size() ? slots_[slot] : outside_;
  }
  template <class Change>
  void change(Slot& slot, Change what);

  std::array<std::uint32_t, 7> counts_{};  ///< how many workers are in each state
  Slot outside_;                           ///< for workers of slots that the pool does not have
  Table<Timer> timers_{memory_};  ///< heaps: of workers' next steps, and of slots that may cool
  Table<Timer> cooling_{memory_};
  Table<Awaited> awaited_{memory_};
  /// All clients in asked_ before this place are answered or wait for one worker
  std::size_t first_ = 0;
  std::uint64_t turns_ = 0;
  Time drain_until_ = kNever;
  Time close_deadline_ = kNever;
  Noted noted_{Table<const pool::Refuse*>{memory_}, Table<const trace::PoolRecord*>{memory_},
               Table<PutAway>{memory_}, Table<PutAway>{memory_}, Table<PutAway>{memory_}};
  std::optional<Standing> last_close_;
};

}  // namespace poolproof::oracle

#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/range/adaptor/transformed.hpp>
#include <boost/range/iterator_range.hpp>

#include "harness/oracle/numbering.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::oracle {

// What all rules speak of.
using faults::JournalRecord;
using trace::ClientStep;
using trace::dotted;
using trace::milliseconds;
using trace::WorkerRecord;
using Kind = JournalRecord::Kind;

/// One client's hold of one worker, as its history tells: surely held from `from` to `to`.
struct Hold {
  const ClientStep* checkout = nullptr;
  WorkerId worker;
  std::uint32_t number = 0;  ///< the worker's
  Time from;                 ///< the checkout had returned
  Time to;  ///< the check-in (or throw, or next checkout) begins; else the client's last step ended
};

/// A call's nonce, as clients and workers know it.
struct Nonce {
  const ClientStep* call = nullptr;    ///< the first step that sent it; null: nobody did
  const WorkerRecord* read = nullptr;  ///< the first record that read it
};

/// A journal's record that a call was read.
struct Read {
  const WorkerRecord* record = nullptr;
  std::uint32_t nonce = 0;  ///< its number
};

/// A journal's record that a fault struck.
struct Receipt {
  const WorkerRecord* record = nullptr;
  const faults::Fault* fault = nullptr;           ///< its row; null: a name that nobody knows
  const faults::PlannedFault* planned = nullptr;  ///< null: the plan has none
  std::uint32_t worker = 0;                       ///< its number
};

/// What one incarnation's journal shows: the first record of each kind, and the earliest times.
struct Signs {
  const WorkerRecord* started = nullptr;
  const WorkerRecord* farewell = nullptr;  ///< the pool had told it to go
  const WorkerRecord* receipt = nullptr;
  bool exits = false;
  Time exiting = kNever;
  Time stdin_closed = kNever;  ///< by a fault
  Time stdout_closed = kNever;
  bool left_a_process = false;
  bool ids_fall = false;       ///< it read a request with an id no higher than the one before
  bool pinged = false;         ///< it read its init ping
  bool ponged = false;         ///< it answered it
  bool ping_struck = false;    ///< a fault struck at it
  bool gate_in_doubt = false;  ///< it read a client's request without a ping, an answer, or in
                               ///< spite of a fault
  std::optional<std::int64_t> last_id;  ///< that it read
  bool may_be_lost = false;             ///< some receipt excuses that
};

/// What stands at those places.
template <class Standing>
auto standing_at(std::span<const std::uint32_t> places, Standing standing) {
  const std::uint32_t* const begin = places.data();
  return boost::make_iterator_range(begin, begin + places.size()) |
         boost::adaptors::transformed(standing);
}

/// Of one client: how far it has come with the scenario's steps.
struct Progress {
  const scenario::Client* client = nullptr;  ///< null: the scenario does not have it
  std::span<const scenario::Step> steps;
  std::uint32_t repetition = 0;
  std::uint32_t next = 0;  ///< step
  Time end = Time::min();

  void follow(const scenario::Client& one) {
    client = &one;
    steps = one.steps;
  }
  /// Goes on by a step that it did; false: that was not the next one, or it is out of time.
  bool takes(const ClientStep& step);
  [[nodiscard]] bool is_done() const {
    return next == steps.size() && repetition + 1 == client->repeat;
  }
};

class View;

/// What the journal tells of one incarnation.
struct Incarnation {
  WorkerId worker;
  const View* view = nullptr;
  std::uint32_t number = 0;

  /// Its journal, in the order of its file; empty: it has none.
  [[nodiscard]] auto records() const;
  [[nodiscard]] const Signs& signs() const;
};

/// The witnesses' records, indexed for the invariants; made once for a judgement. Points into the
/// evidence, which must outlive it. Knows nothing of the pool's self-report.
///
/// Cost: linear in the trace, but for one sort of the incarnations.
class View {
 public:
  explicit View(const Evidence& evidence, Memory* memory = std::pmr::get_default_resource());
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  /// Where the view keeps its tables. Whoever judges by it may keep some there, too.
  Memory* const memory;
  /// Witnesses stamp and round to the microsecond each in their own way: across witnesses, "before"
  /// means by more than this. In virtual time there is one clock: nothing.
  Duration grain;

  Table<std::uint32_t> closes{memory};      ///< places in trace.clients: not skipped
  Table<std::uint32_t> cancels{memory};     ///< the same, and also skipped ones
  Table<std::uint32_t> executions{memory};  ///< the steps themselves, not their parts
  Table<std::uint32_t> grants{memory};      ///< checkouts, not skipped and ok
  Table<std::uint32_t> refused{memory};     ///< checkouts, neither skipped nor ok
  Table<std::uint32_t> failed{memory};      ///< steps, neither skipped nor ok
  Table<std::uint32_t> slow{memory};  ///< with a limit, not skipped: failed, or took all their time
  Table<Hold> holds{memory};
  Table<const ClientStep*> calls{memory};     ///< not skipped; call and call_bytes
  Table<std::uint32_t> call_nonces{memory};   ///< of each of them its nonce's number; kNone
  Table<std::uint32_t> call_workers{memory};  ///< of each of them its worker's number; kNone
  Table<std::uint32_t> troubled{
      memory};                         ///< places in `calls`: failed, or left their stream in doubt
  Table<Read> reads{memory};           ///< of calls, in the order of the journal
  Table<Receipt> receipts{memory};     ///< in the order of the journal
  Table<std::uint32_t> exits{memory};  ///< places in trace.workers
  Table<Nonce> nonces{memory};
  Numbering<std::string_view> nonce_numbers{memory};
  Numbering<std::string_view> clients{memory};  ///< by name
  Numbering<WorkerId> workers{memory};          ///< every incarnation that client or journal knows
  Table<std::uint32_t> client_of_step{memory};  ///< of each of the clients' steps: its number
  Table<std::uint32_t> worker_of_record{memory};  ///< of each of the journals' records: its number
  Table<Signs> signs{memory};                     ///< by the number of the worker
  Table<Incarnation> incarnations{memory};        ///< those with a journal, by slot and generation
  Time begun = kNever;                            ///< the pool did not exist before
  Time close_begun = kNever;                      ///< the pool was whole and open until then
  Time others_ended = Time::min();                ///< the last step that was no close had
  bool is_in_order = true;  ///< every client did all its steps, one after the other
  bool any_thrown = false;  ///< some client threw with a lease in hand

  /// Of numbers in `workers`: places in trace.workers, calls, holds.
  Grouped records_of_worker{memory};
  Grouped calls_of_worker{memory};
  Grouped holds_of_worker{memory};

  [[nodiscard]] const trace::Trace& trace() const { return trace_; }
  /// The places in trace.clients of a client's steps, by its number in `clients`.
  [[nodiscard]] std::span<const std::uint32_t> steps_of(std::uint32_t client) const;
  /// The plan's fault of the receipt's name and id; null: it has none.
  [[nodiscard]] const faults::PlannedFault* planned_for(const JournalRecord& receipt) const;
  /// Who reads the reply to the request at which the fault struck.
  [[nodiscard]] faults::Reader reader_of(const JournalRecord& receipt) const;
  /// What the fault left of that reply; `depends` where the plan does not have it.
  [[nodiscard]] faults::Leaves left_by(const JournalRecord& receipt) const;
  /// A sound pool may put the worker away after it. Those of the shutdown family act only when it
  /// has been told to go.
  [[nodiscard]] bool excuses_loss(const JournalRecord& receipt) const;
  /// The fault ended its worker's process.
  [[nodiscard]] bool ended_process(const JournalRecord& receipt) const;
  /// The call that sent that nonce; null: none did.
  [[nodiscard]] const ClientStep* call_of(std::string_view nonce) const;
  /// The record that the call of that place in `calls` was read; null: no journal shows it.
  [[nodiscard]] const WorkerRecord* read_of(std::size_t call) const {
    return call_nonces[call] == kNone ? nullptr : nonces[call_nonces[call]].read;
  }
  /// A worker's journal, and the calls on it, by its number.
  [[nodiscard]] auto journal(std::uint32_t worker) const {
    const auto record = [this](std::uint32_t place) -> const WorkerRecord& {
      return trace_.workers[place];
    };
    return standing_at(records_of_worker[worker], record);
  }
  /// What a worker noted behind a request that it had read, till it read the next one.
  [[nodiscard]] auto behind(const WorkerRecord& read) const {
    const std::uint32_t worker = workers.find(read.worker);
    const auto all = journal(worker);
    const auto from = std::upper_bound(
        all.begin(), all.end(), &read,
        [](const WorkerRecord* one, const WorkerRecord& other) { return one < &other; });
    const auto next = std::find_if(
        from, all.end(), [](const WorkerRecord& one) { return one.record.kind == Kind::read; });
    return boost::make_iterator_range(from, next);
  }
  [[nodiscard]] auto calls_on(std::uint32_t worker) const {
    const auto call = [this](std::uint32_t place) -> const ClientStep& { return *calls[place]; };
    return standing_at(calls_of_worker[worker], call);
  }
  /// The incarnation, also one that left no journal; nothing for one that nobody knows.
  [[nodiscard]] std::optional<Incarnation> find(WorkerId worker) const;

  /// Whether the worker in that slot writes a journal.
  [[nodiscard]] bool has_journal(WorkerId worker) const;
  [[nodiscard]] bool all_have_journals() const;
  /// Whether the worker in that slot is one of ours, which errs, dies and dawdles by a fault alone.
  [[nodiscard]] bool is_ours(WorkerId worker) const;
  [[nodiscard]] bool all_are_ours() const;

 private:
  /// A client as far as its steps have been looked at.
  struct Client {
    const ClientStep* holds = nullptr;  ///< by this checkout
    std::uint32_t worker = kNone;       ///< the number of the one that it named last
    std::uint32_t held = kNone;         ///< of the one that it holds
    Progress progress;
  };

  void expect_clients(Table<Client>& all);
  void look_at_clients();
  void look_at_step(std::uint32_t place, Client& client);
  void look_at_call(const ClientStep& call, std::uint32_t worker);
  void finish(Client& client, Time at);
  [[nodiscard]] bool is_in_time(const ClientStep& step) const;
  [[nodiscard]] std::uint32_t number_of_worker(const ClientStep& step, Client& client);
  void group_by_worker();
  void look_at_journal();
  void look_at_record(const WorkerRecord& record, std::uint32_t worker);
  void look_at_read(const WorkerRecord& record, Signs& shown);
  void look_at_receipt(const WorkerRecord& record, std::uint32_t worker);

  const scenario::Scenario& scenario_;
  const trace::Trace& trace_;
  std::uint64_t awaited_ = 0;                ///< clients of the scenario that may still show up
  mutable Grouped steps_of_client_{memory};  ///< made when they are asked for
};

inline auto Incarnation::records() const {
  return view->journal(number);
}

/// Whether some signal from outside that was aimed at that worker fits.
template <class Fits>
bool was_struck(const trace::Trace& trace, WorkerId worker, Fits fits) {
  return std::ranges::any_of(trace.environment, [&](const trace::EnvironmentRecord& one) {
    return one.worker == worker && fits(one);
  });
}

/// It ran, no fault that strikes has struck it, and no signal has been sent to it from outside.
bool is_unharmed(const Incarnation& incarnation);

/// How an incarnation ended. Judged by what it wrote and what was done to it. Where nothing else
/// tells whether the pool put it away before it was closed, the pool's self-report does.
///
/// Nothing: a worker without a journal, in a pool that gives no self-report.
std::optional<scenario::Fate> fate_of(const Evidence& evidence, const View& view, WorkerId worker);

/// How an incarnation left, as the pool's self-report tells.
struct Leaving {
  std::optional<scenario::Farewell> by;  ///< nothing: the pool had done nothing to it
  std::optional<ExitStatus> exit;        ///< nothing: it was not seen to end
  Time at;                               ///< of its end, or of the last that was done to it
  std::string story;                     ///< what was done, what came of it, and how long it took
};
/// Nothing: the pool gives no self-report.
std::optional<Leaving> leaving_of(const Evidence& evidence, WorkerId worker);

/// Whether such a step has to end by a time of its own. (How a close does is another matter.)
constexpr bool has_limit(StepKind kind) {
  return has_outcome(kind) && kind != StepKind::close;
}

/// How long the step may take: its own limit or the pool's; a check-in may take no time.
inline Duration limit_of(const ClientStep& step, const scenario::PoolSpec& pool) {
  if (step.limit) return *step.limit;
  if (step.kind == StepKind::checkout) return pool.checkout_timeout;
  if (is_call(step.kind)) return pool.call_timeout;
  if (step.kind == StepKind::execute) return pool.checkout_timeout + pool.call_timeout;
  return step.kind == StepKind::close ? pool.close_timeout : Duration::zero();
}

/// When its limit begins to run.
inline Time since(const ClientStep& step) {
  return step.since.value_or(step.begun);
}

/// The record tells of such a step, or of a part of it.
bool is_of(const ClientStep& record, const scenario::Step& step);

/// The scenario's step that was done there; null: it has none such.
const scenario::Step* asked(const scenario::Scenario& scenario, const ClientStep& step);
/// The same if it is of that kind; else null.
template <class Kind>
const Kind* asked_as(const scenario::Scenario& scenario, const ClientStep& step) {
  const scenario::Step* const done = asked(scenario, step);
  return done == nullptr ? nullptr : std::get_if<Kind>(done);
}

/// What a call of envelopes asked for, by itself or as a part of an execution.
struct AskedCall {
  const std::string& command;
  const scenario::Args& args;
  const std::optional<scenario::Args>& reply;  ///< what it must be
  std::uint32_t pad_bytes;
};
std::optional<AskedCall> asked_call(const scenario::Scenario& scenario, const ClientStep& step);

/// After this call the worker's stream can't be trusted, whatever the pool says of it.
/// `read` says whether a journal shows that the request was read.
bool leaves_doubt(const ClientStep& call, bool read);

/// The name of a client and its step, as findings call it: `client a, step 1 (call a:1)`.
std::string who(const ClientStep& step);

/// The fault's row, by the name in a receipt; null for a name nobody knows.
const faults::Fault* fault_of(const JournalRecord& receipt);

/// The plan tells that the fault struck by a signal which ends its worker.
bool kills(const Receipt& receipt);

/// All that the fault does is to end its worker after a reply.
bool exits_while_idle(const JournalRecord& receipt);

/// The receipt of the fault that kept it from being started; null: there is none.
const WorkerRecord* could_not_start(const Incarnation& incarnation);

/// What was read is the ping by which a pool begins.
bool is_ping(const JournalRecord& read);

/// The record shows that the pool had told its worker to go.
bool shows_farewell(const JournalRecord& record);

}  // namespace poolproof::oracle

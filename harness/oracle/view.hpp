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

// Names that all rules use.
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
  std::uint32_t number = 0;  ///< the worker's number
  Time from;                 ///< when the checkout had returned
  /// When the check-in, throw or next checkout began; else the end of the client's last step
  Time to;
};

/// A step of the scenario from its beginning to its end.
struct WholeStep {
  Time begun;
  Time ended;
};

/// A call's nonce, as clients and workers know it.
struct Nonce {
  const ClientStep* call = nullptr;    ///< the first step that sent it; null: nobody did
  const WorkerRecord* read = nullptr;  ///< the first record that read it
};

/// A journal's record that a call was read.
struct Read {
  const WorkerRecord* record = nullptr;
  std::uint32_t nonce = 0;  ///< the nonce's number
};

/// A journal's record that a fault struck.
struct Receipt {
  const WorkerRecord* record = nullptr;
  const faults::Fault* fault = nullptr;           ///< the fault's row; null: nobody knows its name
  const faults::PlannedFault* planned = nullptr;  ///< the plan's fault; null: the plan has none
  std::uint32_t worker = 0;                       ///< the worker's number
};

/// What one incarnation's journal shows: the first record of each kind, and the earliest times.
struct Signs {
  const WorkerRecord* started = nullptr;
  const WorkerRecord* farewell = nullptr;  ///< the pool had told the worker to go
  const WorkerRecord* receipt = nullptr;
  bool exits = false;
  Time exiting = kNever;
  Time stdin_closed = kNever;  ///< when a fault closed its stdin
  Time stdout_closed = kNever;
  bool left_a_process = false;
  bool ids_fall = false;     ///< it read a request with an id no higher than the one before
  bool pinged = false;       ///< it has read its init ping
  bool ponged = false;       ///< it has answered its init ping
  bool ping_struck = false;  ///< a fault struck at its init ping
  /// It read a client's request without having answered its init ping, or in spite of a fault there
  bool gate_in_doubt = false;
  std::optional<std::int64_t> last_id;  ///< the last id that it read
  bool may_be_lost = false;             ///< some receipt is an excuse for its loss
};

/// The things at those places, as a range.
template <class Standing>
auto elements_at(std::span<const std::uint32_t> places, Standing standing) {
  const std::uint32_t* const begin = places.data();
  return boost::make_iterator_range(begin, begin + places.size()) |
         boost::adaptors::transformed(standing);
}

/// How far one client has come with the scenario's steps.
struct Progress {
  const scenario::Client* client = nullptr;  ///< null: it is not in the scenario
  std::span<const scenario::Step> steps;
  std::uint32_t repetition = 0;
  std::uint32_t next = 0;  ///< the number of the step expected next
  Time end = Time::min();

  void follow(const scenario::Client& one) {
    client = &one;
    steps = one.steps;
  }
  /// Takes the client's next step; false: it is not the one expected, or its times are out of
  /// order.
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

  /// The records of its journal, in the order of the file; empty: it has no journal.
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

  /// Where the view keeps its tables, and where those who judge by it may keep theirs.
  Memory* const memory;
  /// Each witness stamps and rounds to the microsecond in its own way: between witnesses, "before"
  /// means earlier by more than this. In virtual time there is one clock, and this is zero.
  Duration grain;

  Table<std::uint32_t> closes{memory};  ///< places in trace.clients of closes, without skipped ones
  Table<std::uint32_t> cancels{memory};  ///< places in trace.clients of cancels, with skipped ones
  Table<std::uint32_t> executions{memory};  ///< places of executions themselves, not of their parts
  Table<std::uint32_t> grants{memory};  ///< places of checkouts that were ok, without skipped ones
  /// Places of checkouts that were not ok, without skipped ones
  Table<std::uint32_t> refused{memory};
  Table<std::uint32_t> failed{memory};  ///< places of steps that were not ok, without skipped ones
  /// Places of steps with a limit: failed, or took all their time
  Table<std::uint32_t> slow{memory};
  Table<Hold> holds{memory};
  Table<const ClientStep*> calls{memory};  ///< calls of both kinds, without skipped ones
  /// For each of `calls`: its nonce's number; kNone: no nonce
  Table<std::uint32_t> call_nonces{memory};
  /// For each of `calls`: its worker's number; kNone: none
  Table<std::uint32_t> call_workers{memory};
  Table<std::uint32_t> troubled{
      memory};                ///< places in `calls`: the call failed, or left its stream in doubt
  Table<Read> reads{memory};  ///< reads of clients' calls, in the order of the journals
  Table<Receipt> receipts{memory};     ///< in the order of the journals
  Table<std::uint32_t> exits{memory};  ///< places in trace.workers of records of an exit
  Table<Nonce> nonces{memory};
  Numbering<std::string_view> nonce_numbers{memory};
  Numbering<std::string_view> clients{memory};  ///< the clients' names, numbered
  Numbering<WorkerId> workers{memory};          ///< every incarnation that client or journal knows
  Table<std::uint32_t> client_of_step{memory};  ///< for each of trace.clients: its client's number
  /// For each of trace.workers: its worker's number
  Table<std::uint32_t> worker_of_record{memory};
  Table<Signs> signs{memory};               ///< indexed by the worker's number
  Table<Incarnation> incarnations{memory};  ///< incarnations with a journal, by slot and generation
  Time begun = kNever;                      ///< the pool did not exist before this time
  Time close_begun = kNever;                ///< the pool was whole and open until this time
  Time others_ended = Time::min();          ///< when the last step ended that was no close
  bool is_in_order = true;                  ///< every client did all its steps, one after the other
  bool any_thrown = false;                  ///< some client threw with a lease in hand

  /// For each number in `workers`: its places in trace.workers, in `calls` and in `holds`.
  Grouped records_of_worker{memory};
  Grouped calls_of_worker{memory};
  Grouped holds_of_worker{memory};

  [[nodiscard]] const trace::Trace& trace() const { return trace_; }
  /// The places in trace.clients of a client's steps, by its number in `clients`.
  [[nodiscard]] std::span<const std::uint32_t> steps_of(std::uint32_t client) const;
  /// The step to which the record belongs: for a part of an execution, the whole execution.
  /// Requires: `record` is one of trace.clients.
  [[nodiscard]] WholeStep whole_of(const ClientStep& record) const;
  /// The plan's fault that the receipt names by name and id; null: the plan has none.
  [[nodiscard]] const faults::PlannedFault* planned_for(const JournalRecord& receipt) const;
  /// Who reads the reply to the request at which the fault struck.
  [[nodiscard]] faults::Reader reader_of(const JournalRecord& receipt) const;
  /// What the fault left of that reply; `depends`: the plan does not have the fault.
  [[nodiscard]] faults::Leaves left_by(const JournalRecord& receipt) const;
  /// Whether a sound pool may put the worker away after this fault. Faults of the shutdown family
  /// are no excuse: they act only when the worker has been told to go.
  [[nodiscard]] bool excuses_loss(const JournalRecord& receipt) const;
  /// Whether the fault ended its worker's process.
  [[nodiscard]] bool ended_process(const JournalRecord& receipt) const;
  /// The call that sent that nonce; null: none did.
  [[nodiscard]] const ClientStep* call_of(std::string_view nonce) const;
  /// The record that shows a call being read, by its place in `calls`; null: no journal shows it.
  [[nodiscard]] const WorkerRecord* read_of(std::size_t call) const {
    return call_nonces[call] == kNone ? nullptr : nonces[call_nonces[call]].read;
  }
  /// A worker's journal, and the calls on it, by its number.
  [[nodiscard]] auto journal(std::uint32_t worker) const {
    const auto record = [this](std::uint32_t place) -> const WorkerRecord& {
      return trace_.workers[place];
    };
    return elements_at(records_of_worker[worker], record);
  }
  /// What a worker noted after it had read that request, until it read the next one.
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
    return elements_at(calls_of_worker[worker], call);
  }
  /// The incarnation, even if it left no journal; nothing: nobody knows it.
  [[nodiscard]] std::optional<Incarnation> find(WorkerId worker) const;

  /// Whether the worker in that slot writes a journal.
  [[nodiscard]] bool has_journal(WorkerId worker) const;
  [[nodiscard]] bool all_have_journals() const;
  /// Whether the worker in that slot is a fake worker, which errs, dies and dawdles by a fault
  /// alone.
  [[nodiscard]] bool is_ours(WorkerId worker) const;
  [[nodiscard]] bool all_are_ours() const;

 private:
  /// One client, as far as its steps have been looked at.
  struct Client {
    const ClientStep* holds = nullptr;  ///< the checkout by which it holds a worker
    std::uint32_t worker = kNone;       ///< the number of the worker that it named last
    std::uint32_t held = kNone;         ///< the number of the worker that it holds
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
  mutable Grouped steps_of_client_{memory};  ///< built when first asked for
};

inline auto Incarnation::records() const {
  return view->journal(number);
}

/// Whether `fits` is true for some signal that was sent to that worker from outside.
template <class Fits>
bool was_struck(const trace::Trace& trace, WorkerId worker, Fits fits) {
  return std::ranges::any_of(trace.environment, [&](const trace::EnvironmentRecord& one) {
    return one.worker == worker && fits(one);
  });
}

/// Whether the incarnation ran, and no fault and no signal from outside struck it.
bool is_unharmed(const Incarnation& incarnation);

/// How an incarnation ended. Judged by what it wrote and what was done to it. Where nothing else
/// tells whether the pool put it away before it was closed, the pool's self-report does.
///
/// Returns nothing for a worker without a journal, in a pool that gives no self-report.
std::optional<scenario::Fate> fate_of(const Evidence& evidence, const View& view, WorkerId worker);

/// How an incarnation left, as the pool's self-report tells.
struct Leaving {
  std::optional<scenario::Farewell> by;  ///< the pool's last step; nothing: none
  std::optional<ExitStatus> exit;        ///< nothing: its end was not seen
  Time at;            ///< when it ended, or else when something was last done to it
  std::string story;  ///< what was done, what came of it, and how long it took
};
/// Returns nothing where the pool gives no self-report.
std::optional<Leaving> leaving_of(const Evidence& evidence, const View& view, WorkerId worker);

/// Whether a step of this kind must end by a time of its own. (A close is judged in another way.)
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

/// When the step's limit begins to run.
inline Time since(const ClientStep& step) {
  return step.since.value_or(step.begun);
}

/// Whether the record tells of that step, or of a part of it.
bool is_of(const ClientStep& record, const scenario::Step& step);

/// The scenario's step that the record tells of; null: there is none.
const scenario::Step* asked(const scenario::Scenario& scenario, const ClientStep& step);
/// The scenario's step that the record tells of, if it is of that kind; else null.
template <class Kind>
const Kind* asked_as(const scenario::Scenario& scenario, const ClientStep& step) {
  const scenario::Step* const done = asked(scenario, step);
  return done == nullptr ? nullptr : std::get_if<Kind>(done);
}

/// What a call of envelopes asked for, by itself or as a part of an execution.
struct AskedCall {
  const std::string& command;
  const scenario::Args& args;
  const std::optional<scenario::Args>& reply;  ///< what the reply must be
  std::uint32_t pad_bytes;
};
std::optional<AskedCall> asked_call(const scenario::Scenario& scenario, const ClientStep& step);

/// Whether the worker's stream can't be trusted after this call, whatever the pool says of it.
/// `read`: whether a journal shows that the request was read.
bool leaves_doubt(const ClientStep& call, bool read);

/// The name of a client and its step, as findings call it: `client a, step 1 (call a:1)`.
std::string who(const ClientStep& step);

/// The fault's row, by the name in a receipt; null for a name nobody knows.
const faults::Fault* fault_of(const JournalRecord& receipt);

/// Whether, by the plan, the fault struck by a signal that ends its worker.
bool kills(const Receipt& receipt);

/// Whether all that the fault does is to end its worker after a reply.
bool exits_while_idle(const JournalRecord& receipt);

/// The receipt of the fault that kept the worker from being started; null: there is none.
const WorkerRecord* could_not_start(const Incarnation& incarnation);

/// Whether what was read is the ping with which a pool greets a worker.
bool is_ping(const JournalRecord& read);

/// Whether the record shows that the pool had told its worker to go.
bool shows_farewell(const JournalRecord& record);

}  // namespace poolproof::oracle

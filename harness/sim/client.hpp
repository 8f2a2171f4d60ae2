#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/pool/held_lease.hpp"
#include "harness/sim/client_script.hpp"
#include "harness/sim/pool.hpp"

namespace poolproof::sim {

class Client;

/// What the clients of one scenario share.
struct Stage {
  Machine& machine;
  Pool& pool;
  const scenario::Scenario* scenario = nullptr;
  std::vector<Client*> clients;
  std::vector<Client*> awaiting;  ///< those that wait for something to come true
  std::size_t done = 0;           ///< how many clients have done all their steps
  std::string trouble;            ///< why the run proves nothing; empty: it may

  [[nodiscard]] Client* named(std::string_view name) const;
  /// Makes those clients ready whose condition has come true; `news_of`: only that client has news.
  void wake_awaiting(const Client* news_of = nullptr);
};

/// One client of a scenario: does its steps in order, one move at a time, and writes down how each
/// ended.
class Client {
 public:
  Client(Stage& stage, std::uint32_t number) : stage_(stage), number_(number) {}

  void begin(const scenario::Client& client, std::string name);
  /// Drops its lease without giving it back, as if it had never had one.
  void let_go() {
    held_ = {};
    kept_.reset();
  }

  /// Makes its next move, if it can make one.
  void go();
  /// Cancels the checkout or call under way; a step that comes later is not affected.
  void cancel();

  /// Of a client that waits for something: whether that has come true.
  [[nodiscard]] bool has_come_true() const;

  /// The other client that it waits for. Null: it waits for something else, or not at all.
  [[nodiscard]] const Client* awaited() const { return awaited_; }

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] const std::string& name() const { return script_.name(); }
  [[nodiscard]] bool done() const { return state_ == State::done; }
  /// Whether it waits for what has not come true, so that a move of it would change nothing.
  [[nodiscard]] bool waits_in_vain() const;
  [[nodiscard]] bool has_begun(std::uint32_t step) const { return step < first_begun_; }
  [[nodiscard]] bool has_ended(std::uint32_t step) const { return step < first_ended_; }

 private:
  enum class State : std::uint8_t {
    before,       ///< waits until another client is done
    between,      ///< about to begin its next step
    asking,       ///< has no lease any more, about to ask for one
    queued,       ///< waits for the answer to its checkout
    writing,      ///< a call has begun, nothing is written yet
    calling,      ///< waits for its worker
    end_awaited,  ///< its worker has ended; waits for the post-mortem
    decided,      ///< the call is decided; its lease is not told yet
    awaiting,
    pausing,
    closing,
    leaving,  ///< its steps are done; gives back what it holds
    done
  };
  void begin_step();
  void end_step();
  void carry(const scenario::Checkout& step);
  void carry(const scenario::Call& step);
  void carry(const scenario::CallBytes& step);
  void carry(const scenario::Checkin& step);
  void carry(const scenario::Throw& step);
  void carry(const scenario::AwaitClient& step) { await(stage_.named(step.client)); }
  void carry(const scenario::AwaitWorker&) { await(nullptr); }
  void carry(const scenario::AwaitFault&) { await(nullptr); }
  void carry(const scenario::Pause& step);
  void carry(const scenario::Cancel& step);
  void carry(const scenario::SignalWorker& step);
  void carry(const scenario::Close& step);
  void carry(const scenario::EndSession& step);
  void carry(const scenario::Execute&) {}  // is carried out part by part
  void carry(const scenario::Renew&) { tell_pool(pool::RenewRequested{}); }
  void carry(const scenario::Suspend&) { tell_pool(pool::SuspendRequested{}); }
  void carry(const scenario::Resume&) { tell_pool(pool::ResumeRequested{}); }
  void tell_pool(const pool::Event& event);

  void ask();
  void look_at_ticket();
  void begin_call(Expected<std::string, std::string> frame);
  void go_on_calling();
  void look_at_end();
  void finish_call();
  void look_at_close();
  void await(const Client* other);
  void look_around();

  bool give_back(bool clean);
  void drop_worker();
  void note_progress(Progress what) const;
  void read_awaited() const;
  void read_progress(Progress what, std::uint32_t step) const;
  [[nodiscard]] std::uint32_t progress_number(Progress what, std::uint32_t step) const;
  [[nodiscard]] const trace::ClientStep& record() const { return script_.record; }
  [[nodiscard]] Worker& worker() const { return static_cast<Worker&>(*kept_); }
  void wait_until(Time at) { stage_.machine.agenda.set_time(task_of(Role::client, number_), at); }
  void go_again() { stage_.machine.agenda.set_ready(task_of(Role::client, number_), true); }

  // The members that every move looks at stand together: there may be many clients.
  Stage& stage_;
  std::uint32_t number_;
  State state_ = State::done;
  bool stop_ = false;              ///< the step under way is to be cancelled
  bool parked_ = false;            ///< its checkout was not answered at once
  std::uint32_t first_begun_ = 0;  ///< how many steps have begun in the first repetition
  std::uint32_t first_ended_ = 0;
  const Client* awaited_ = nullptr;  ///< the other client it waits for; null: there is none
  pool::HeldLease held_;             ///< the last lease
  pool::WorkerRef kept_;             ///< the last lease's worker, as long as we look at it
  Time until_ = kNever;              ///< when a pause, a close or an await is over
  ClientScript script_;
  pool::CallSpec call_;  ///< the call under way
  std::optional<wire::Exchange> exchange_;
};

}  // namespace poolproof::sim

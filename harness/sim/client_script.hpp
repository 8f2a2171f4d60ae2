#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/pool/dispatcher.hpp"
#include "harness/pool/error.hpp"
#include "harness/pool/execution.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::sim {

/// How far a client has got with one of its steps, or with all of them.
enum class Progress : std::uint8_t { begun, ended, done };

/// One client's steps in their order, and what it writes down of each: the same in both worlds. A
/// world carries the step under way out, and says what came of it.
class ClientScript {
 public:
  /// `scenario` and `client` must outlive it.
  void begin(const scenario::Scenario& scenario, const scenario::Client& client, std::string name);

  /// Begins the next step, or the next part of the step under way. False: all steps are done.
  bool begin_step(Time now);
  /// Whether a client is seen to begin a step now: this is no later part of one.
  [[nodiscard]] bool begins_whole() const { return !execution_ || is_first_part_; }
  /// Whether a client is seen to end a step now: this is no part of a step that goes on.
  [[nodiscard]] bool ends_whole() const { return !record.part; }
  /// Notes what the step says of itself. False: there is nothing to do. Either it needs a lease and
  /// the client has had none, so that it is skipped, or it is a step `execute` whose parts are all
  /// done.
  bool prepare();
  /// Ends the step, and hands over what was noted of it.
  void end_step(Time now, trace::ClientStep& kept);

  // ---- what came of the step under way
  void granted(LeaseId lease, WorkerId worker);
  void failed(pool::Error error);
  /// A call ended well: notes whether the reply is what it must be. In terse messages the nonce
  /// stands for the result, which they leave out.
  void answered(const wire::Reply& reply);
  /// Notes whether the reply to a call of bytes is what it must be.
  void answered(std::string_view payload);
  void close_failed();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const scenario::Client& client() const { return *client_; }
  /// The step under way, or the part of it: a checkout, call or check-in of a step `execute`.
  [[nodiscard]] const scenario::Step& step() const {
    return record.part ? part_ : client_->steps[record.step];
  }
  /// The session that the checkout under way names.
  [[nodiscard]] pool::SessionRequest session() const;

  trace::ClientStep record;  ///< what is noted of the step under way

 private:
  bool prepare(const scenario::Checkout& step);
  bool prepare(const scenario::Call& step);
  bool prepare(const scenario::CallBytes& step);
  bool prepare(const scenario::Checkin& step);
  bool prepare(const scenario::Throw& step);
  bool prepare(const scenario::Close& step);
  bool prepare(const scenario::SignalWorker& step);
  bool prepare(const scenario::EndSession& step);
  bool prepare(const scenario::Execute& step);
  /// The other steps say nothing of themselves.
  template <class Other>
  bool prepare(const Other&) {
    return true;
  }
  bool prepare_call(const std::string& command, std::optional<Duration> timeout);
  bool needs_lease();
  void begin_execution(Time now);
  void begin_part(Time now);
  void plan_next_part(Time now);
  [[nodiscard]] const scenario::Execute& execute() const {
    return std::get<scenario::Execute>(client_->steps[record.step]);
  }

  /// What an execution does next.
  enum class Next : std::uint8_t { checkout, call, checkin, nothing };

  const scenario::Scenario* scenario_ = nullptr;
  const scenario::Client* client_ = nullptr;
  std::string name_;
  std::uint32_t repetition_ = 0;
  std::uint32_t next_ = 0;  ///< index of the next step
  std::uint32_t calls_ = 0;
  /// A checkout of this repetition was granted: steps that need a lease are not skipped.
  bool had_lease_ = false;
  bool checked_in_ = false;  ///< the present lease has been given back
  LeaseId lease_ = LeaseId::none;
  WorkerId leased_;

  std::optional<pool::Execution> execution_;  ///< the execution under way
  Time execution_begun_;
  bool is_first_part_ = false;
  Next next_part_ = Next::checkout;
  scenario::Step part_;
  std::optional<pool::Error> error_;  ///< the error of the execution's last checkout or call
};

/// The arguments that a call is made with.
nlohmann::json call_args(const scenario::Call& step, const std::string& nonce);

}  // namespace poolproof::sim

#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/host/pool.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/record.hpp"
#include "harness/worlds/milestones.hpp"

namespace poolproof::worlds {

/// What the clients of one scenario share.
struct Stage {
  host::Pool& pool;
  const scenario::Scenario& scenario;
  Milestones& milestones;
  std::function<void(const std::string& client)> cancel;  ///< cancels what that client waits for
  std::function<bool(const std::string& fault)> fault_struck;  ///< has left a receipt by now
  std::function<void(const trace::EnvironmentRecord&)>
      environment;  ///< notes what was done from outside
};

/// One client of a scenario: does its steps in order on its own thread and writes down how each
/// ended.
class ClientRun {
 public:
  ClientRun(Stage& stage, const scenario::Client& client, std::string name);

  void run();
  /// Cancels the checkout or call under way, from any thread. One that comes later is not affected.
  void cancel();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<trace::ClientStep>& history() const { return history_; }
  /// Why the harness could not go on with this client; empty: it could.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  void once();
  static void note_error(trace::ClientStep& record, const host::Error& error);
  void note_lease(trace::ClientStep& record) const;
  std::stop_token fresh_stop();

  void carry(const scenario::Checkout& step, trace::ClientStep& record);
  void carry(const scenario::Call& step, trace::ClientStep& record);
  void carry(const scenario::CallBytes& step, trace::ClientStep& record);
  void carry(const scenario::Checkin& step, trace::ClientStep& record);
  void carry(const scenario::Throw& step, trace::ClientStep& record);
  void carry(const scenario::AwaitClient& step, trace::ClientStep& record);
  void carry(const scenario::AwaitWorker& step, trace::ClientStep& record);
  void carry(const scenario::AwaitFault& step, trace::ClientStep& record);
  void carry(const scenario::Pause& step, trace::ClientStep& record);
  void carry(const scenario::Cancel& step, trace::ClientStep& record);
  void carry(const scenario::SignalWorker& step, trace::ClientStep& record);
  void carry(const scenario::Close& step, trace::ClientStep& record);

  Stage& stage_;
  const scenario::Client& client_;
  std::string name_;
  std::optional<host::Lease> lease_;
  LeaseId lease_id_ = LeaseId::none;
  WorkerId leased_;
  bool had_lease_ = false;   ///< in this repetition: what follows a check-in is a step, not a skip
  bool checked_in_ = false;  ///< the present lease has been given back
  std::uint32_t repetition_ = 0;
  std::uint32_t calls_ = 0;
  std::mutex stop_mutex_;
  std::stop_source stop_;  ///< of the step under way
  std::stop_token stop_now_;
  std::vector<trace::ClientStep> history_;
  std::string trouble_;
};

}  // namespace poolproof::worlds

#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/host/pool_types.hpp"
#include "harness/sim/client_script.hpp"
#include "harness/worlds/milestones.hpp"

namespace poolproof::worlds {

/// What the clients of one scenario share.
struct Stage {
  host::Pool& pool;
  const scenario::Scenario& scenario;
  Milestones& milestones;
  std::function<void(const std::string& client)> cancel;  ///< cancels what that client waits for
  /// Whether that fault has left a receipt by now.
  std::function<bool(const std::string& fault)> fault_struck;
  std::function<void(const trace::EnvironmentRecord&)>
      environment;  ///< notes what was done from outside
};

/// One client of a scenario: does its steps in order on its own thread and writes down how each
/// ended.
class ClientRun {
 public:
  ClientRun(Stage& stage, const scenario::Client& client, std::string name);

  void run();
  /// Cancels the checkout or call under way, from any thread. A step that comes
  /// later is not affected.
  void cancel();

  [[nodiscard]] const std::string& name() const { return script_.name(); }
  [[nodiscard]] const std::vector<trace::ClientStep>& history() const { return history_; }
  /// Why the harness could not go on with this client; empty: it could.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  std::stop_token fresh_stop();

  void carry(const scenario::Checkout& step);
  void carry(const scenario::Call& step);
  void carry(const scenario::CallBytes& step);
  void carry(const scenario::Checkin& step);
  void carry(const scenario::Throw& step);
  void carry(const scenario::AwaitClient& step);
  void carry(const scenario::AwaitWorker& step);
  void carry(const scenario::AwaitFault& step);
  void carry(const scenario::Pause& step);
  void carry(const scenario::Cancel& step);
  void carry(const scenario::SignalWorker& step);
  void carry(const scenario::Close& step);
  void carry(const scenario::EndSession& step);
  void carry(const scenario::Execute&) {}  // is carried out part by part
  void carry(const scenario::Renew&) { stage_.pool.renew(); }
  void carry(const scenario::Suspend&) { stage_.pool.suspend(); }
  void carry(const scenario::Resume&) { stage_.pool.resume(); }

  /// Notes what every call has in common.
  template <class Reply>
  void note_call(host::Result<Reply>& reply) {
    script_.record.written_bytes = lease_->written_bytes();
    script_.record.in_doubt = lease_->in_doubt();
    if (!reply) script_.failed(std::move(reply.error()));
  }

  Stage& stage_;
  sim::ClientScript script_;
  std::optional<host::Lease> lease_;
  std::mutex stop_mutex_;
  std::stop_source stop_;  ///< cancels the step under way
  std::stop_token stop_now_;
  std::vector<trace::ClientStep> history_;
  std::string trouble_;
};

}  // namespace poolproof::worlds

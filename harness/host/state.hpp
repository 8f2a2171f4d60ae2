#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "harness/host/descriptor.hpp"
#include "harness/host/pool.hpp"
#include "harness/host/worker.hpp"

namespace poolproof::host {

/// Where a waiting client finds its answer. Lives on the client's stack.
struct Ticket {
  CheckoutId checkout = CheckoutId::none;
  std::condition_variable answered;
  bool done = false;
  LeaseId lease = LeaseId::none;
  std::shared_ptr<Worker> worker;  ///< granted
  pool::Refuse refusal;            ///< not granted
  Error error;                     ///< of the refusal, in words
};

/// What the caretaker takes over from everybody else.
struct Errands {
  std::vector<std::shared_ptr<Worker>> adopt;  ///< just started
  std::vector<std::shared_ptr<Worker>> watch;  ///< have become idle
  std::vector<pool::Effect> orders;            ///< of the Core, in its order
  Time deadline = kNever;                      ///< the Core's next
  bool stopping = false;
};

/// The Core under its one mutex, and all that clients, caretaker and spawner share.
class PoolState {
 public:
  explicit PoolState(Options options);

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  [[nodiscard]] bool usable() const { return static_cast<bool>(wake_); }

  // ---- clients
  Result<std::shared_ptr<Worker>> checkout(Duration timeout, const std::stop_token& stop,
                                           LeaseId& lease);
  bool end_lease(LeaseId lease, const std::shared_ptr<Worker>& worker, bool clean);
  [[nodiscard]] pool::RemovalReason told_to_go(const Worker& worker) const;
  bool close(Duration timeout);
  bool wait_for_rest(Duration limit);
  [[nodiscard]] Statistics statistics() const;
  [[nodiscard]] std::shared_ptr<Worker> find(WorkerId id) const;

  // ---- the spawner and the caretaker
  void started(WorkerId id, Expected<Child, LaunchError> child);
  void happened(const pool::Event& event);
  void handshake_ended(WorkerId worker, const pool::StartEvidence& evidence,
                       std::string stderr_tail);
  [[nodiscard]] bool is_idle(WorkerId worker) const;
  /// True while this incarnation is idle and `still` holds: then its output has strayed.
  bool strayed_if(WorkerId worker, const std::function<bool()>& still);
  /// All of the ping is in the worker's stdin: from now on it can be asked how much is unread.
  void pinged(Worker& worker, std::uint32_t ping_bytes);
  Errands take_errands();
  /// The caretaker will look again at this time at the latest.
  void naps_until(Time at);
  /// Under the mutex, since a refusal in the making may look at that pipe.
  void close_stdin(Worker& worker);
  void forget(WorkerId id);
  void stop();

 private:
  void step(const pool::Event& event);  // mutex held, as in all below
  void deliver(const pool::Effect& effect);
  [[nodiscard]] bool idle_now(WorkerId worker) const;
  [[nodiscard]] bool rests() const;
  Error explain(const pool::Refuse& refusal) const;
  void wake_caretaker();

  const Options options_;
  Descriptor wake_;
  mutable std::mutex mutex_;
  pool::Core core_;
  std::vector<pool::Effect> effects_;  ///< of the step under way
  Errands errands_;
  bool wake_pending_ = false;
  Time nap_until_ = kNever;  ///< Time::min(): the caretaker is awake
  std::uint64_t checkouts_ = 0;
  Ticket* asking_ = nullptr;  ///< of the checkout being stepped: it is in no table yet
  boost::unordered_flat_map<CheckoutId, Ticket*> tickets_;
  std::map<WorkerId, std::shared_ptr<Worker>> workers_;
  std::condition_variable closed_changed_;
  bool closed_ = false;
  std::condition_variable rests_;
  WorkerId last_failed_;
  std::string last_failed_tail_;
  WorkerId last_unlaunched_;
  std::string last_launch_error_;
};

}  // namespace poolproof::host

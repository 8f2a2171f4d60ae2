#include "harness/host/pool.hpp"

#include <exception>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/host/call.hpp"
#include "harness/host/caretaker.hpp"
#include "harness/host/state.hpp"
#include "harness/host/system.hpp"
#include "harness/host/timestamp.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::host {

// ---- Pool
// ----------------------------------------------------------------------------------------

Parsed<std::unique_ptr<Pool>> Pool::open(Options options) {
  if (auto config = pool::checked(options.core); !config) return unexpected(config.error());
  if (!options.command_for && options.command.argv.empty()) {
    return unexpected(InputError{"command", "is empty", "a program and its arguments"});
  }
  const auto prefix = options.framing.prefix_bytes;
  if (prefix != 1 && prefix != 2 && prefix != 4) {
    return unexpected(InputError{"prefix_bytes", std::to_string(prefix), "1, 2 or 4"});
  }
  if (options.framing.max_frame_bytes == 0) {
    return unexpected(InputError{"max_frame_bytes", "is 0", "at least 1"});
  }
  sys::ignore_sigpipe();
  auto state = std::make_shared<PoolState>(std::move(options));
  auto epoll = Caretaker::open_epoll(state->wake_fd());
  if (!state->usable() || !epoll)
    return unexpected(
        InputError{"pool", "no descriptor left for it", "a higher limit (ulimit -n)"});
  auto caretaker = std::make_unique<Caretaker>(state, std::move(*epoll));
  return std::unique_ptr<Pool>(new Pool(std::move(state), std::move(caretaker)));
}

Pool::Pool(std::shared_ptr<PoolState> state, std::unique_ptr<Caretaker> caretaker)
    : state_(std::move(state)), caretaker_(std::move(caretaker)) {}

Pool::~Pool() {
  close(state_->options().close_timeout);
}

Result<Lease> Pool::checkout(std::optional<Duration> timeout, const std::stop_token& stop) {
  LeaseId lease = LeaseId::none;
  auto worker = state_->checkout(timeout.value_or(state_->options().checkout_timeout), stop, lease);
  if (!worker) return unexpected(std::move(worker.error()));
  return Lease(state_, std::move(*worker), lease);
}

bool Pool::close(Duration timeout) {
  return state_->close(timeout);
}

Statistics Pool::statistics() const {
  return state_->statistics();
}

bool Pool::wait_for_rest(Duration limit) {
  return state_->wait_for_rest(limit);
}

bool Pool::signal(WorkerId worker, int signal) {
  const auto found = state_->find(worker);
  return found && sys::signal_process(found->pidfd(), signal).has_value();
}

// ---- Lease
// ---------------------------------------------------------------------------------------

Lease::Lease(std::shared_ptr<PoolState> pool, std::shared_ptr<Worker> worker, LeaseId id)
    : pool_(std::move(pool)),
      worker_(std::move(worker)),
      id_(id),
      open_(true),
      exceptions_(std::uncaught_exceptions()) {}

Lease::Lease(Lease&& other) noexcept
    : pool_(std::move(other.pool_)),
      worker_(std::move(other.worker_)),
      id_(other.id_),
      open_(std::exchange(other.open_, false)),
      exceptions_(other.exceptions_),
      written_bytes_(other.written_bytes_),
      in_doubt_(other.in_doubt_) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  checkin();
  pool_ = std::move(other.pool_);
  worker_ = std::move(other.worker_);
  id_ = other.id_;
  open_ = std::exchange(other.open_, false);
  exceptions_ = other.exceptions_;
  written_bytes_ = other.written_bytes_;
  in_doubt_ = other.in_doubt_;
  return *this;
}

Lease::~Lease() {
  if (!open_) return;
  const bool unwinding = std::uncaught_exceptions() > exceptions_;
  end(!unwinding || pool_->options().on_exception == pool::OnException::keep);
}

bool Lease::checkin() {
  return end(true);
}
bool Lease::discard() {
  return end(false);
}

bool Lease::end(bool clean) {
  if (!std::exchange(open_, false)) return false;
  return pool_->end_lease(id_, worker_, clean);
}

WorkerId Lease::worker() const {
  POOLPROOF_ASSERT(worker_ != nullptr);
  return worker_->id();
}

Result<Reply> Lease::call(std::string_view command, const nlohmann::json& args,
                          std::optional<Duration> timeout, const std::stop_token& stop) {
  const std::int64_t request = open_ ? worker_->next_request++ : 0;
  auto result = converse(wire::Payload::envelope, request,
                         open_ ? wire::encode_request(request, command, args, timestamp()) : "",
                         timeout, stop, printable(command, 60));
  // Not a byte reached the worker: its next request is still this one.
  if (open_ && written_bytes_ == 0) --worker_->next_request;
  if (!result) return unexpected(std::move(result.error()));
  return std::move(result->reply);
}

Result<std::string> Lease::call_bytes(std::string_view payload, std::optional<Duration> timeout,
                                      const std::stop_token& stop) {
  auto result = converse(wire::Payload::opaque, 0, std::string(payload), timeout, stop, "bytes");
  if (!result) return unexpected(std::move(result.error()));
  return std::move(result->payload);
}

Result<wire::CallResult> Lease::converse(wire::Payload payload, std::int64_t request,
                                         const std::string& message,
                                         std::optional<Duration> timeout,
                                         const std::stop_token& stop, const std::string& what) {
  written_bytes_ = 0;
  in_doubt_ = false;
  if (!open_) return unexpected(pool::explain_lease_over(what));
  const auto& options = pool_->options();
  auto frame = wire::encode_frame(options.framing, message);
  if (!frame) return unexpected(pool::explain_too_large(what, frame.error()));
  const Duration limit = timeout.value_or(options.call_timeout);
  auto result = carry_out(*worker_,
                          wire::Conversation(options.framing, payload, request, std::move(*frame),
                                             after(sys::now(), limit)),
                          stop);
  written_bytes_ = result.written_bytes;
  in_doubt_ = result.in_doubt;
  if (result.outcome == Outcome::ok) {
    if (result.in_doubt) end(false);
    return result;
  }
  pool::CallFacts facts;
  facts.worker = worker_->id();
  facts.pid = worker_->pid();
  facts.command = what;
  facts.limit = limit;
  facts.stderr_tail = worker_->stderr_tail();
  facts.pool_closing =
      result.in_doubt && pool_->told_to_go(*worker_) == pool::RemovalReason::closing;
  if (result.in_doubt) end(false);
  return unexpected(pool::explain_call(result, facts));
}

}  // namespace poolproof::host

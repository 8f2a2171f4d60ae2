#include "harness/host/session_pool.hpp"

#include <utility>

#include "harness/host/system.hpp"

namespace poolproof::host {

Parsed<std::unique_ptr<SessionPool>> SessionPool::open(Options options) {
  const Duration usual = plus(options.checkout_timeout, options.call_timeout);
  auto pool = Pool::open(std::move(options));
  if (!pool) return unexpected(pool.error());
  return std::unique_ptr<SessionPool>(new SessionPool(std::move(*pool), usual));
}

Result<Executed> SessionPool::execute_in_session(std::string_view session, std::string_view command,
                                                 const Arguments& args,
                                                 const ExecuteOptions& options,
                                                 const std::stop_token& stop) {
  if (session.empty()) {
    pool::Error nameless;
    nameless.kind = Outcome::protocol_error;
    nameless.message =
        "protocol_error: the session has no name; execute_anonymous takes any worker; nothing was "
        "written";
    return unexpected(std::move(nameless));
  }
  return execute({session, options.affinity, options.when_busy}, command, args, options, stop);
}

Result<Executed> SessionPool::execute_anonymous(std::string_view command, const Arguments& args,
                                                const ExecuteOptions& options,
                                                const std::stop_token& stop) {
  return execute({}, command, args, options, stop);
}

Result<Executed> SessionPool::execute(const pool::SessionRequest& session, std::string_view command,
                                      const Arguments& args, const ExecuteOptions& options,
                                      const std::stop_token& stop) {
  pool::Execution execution(options, usual_timeout_, !session.name.empty(), sys::now());
  for (;;) {
    auto lease = pool_->checkout_in(session, execution.left(sys::now()), stop);
    if (!lease) return unexpected(execution.conclude(std::move(lease.error())));
    auto reply = lease->call(command, args, execution.call_limit(sys::now()), stop);
    const WorkerId worker = lease->worker();
    lease->checkin();
    if (reply) return Executed{std::move(*reply), worker, execution.tries()};
    if (execution.try_again(reply.error(), sys::now())) continue;
    return unexpected(execution.conclude(std::move(reply.error())));
  }
}

}  // namespace poolproof::host

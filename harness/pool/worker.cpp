#include "harness/pool/worker.hpp"

#include <algorithm>
#include <cerrno>

namespace poolproof::pool {

bool Worker::is_not_now(int errno_value) {
  return errno_value == EAGAIN;
}

Worker::Wants Worker::wants() const {
  Wants wants;
  wants.end = !reaped;
  wants.text = stderr_open && !reaped;
  // A pipe at its end is always ready: it would keep the loop spinning.
  wants.output = !reaped && (greeting ? !greeting->stdout_ended() : watched);
  if (greeting) wants.handshake_due = greeting->next_deadline();
  wants.idle_due = std::min(watch_at, suspect_at);
  return wants;
}

void Worker::begin_again(WorkerId id) {
  id_ = id;
  next_request = 1;
  told_to_look = false;
  told_to_go = RemovalReason::none;
  ping_bytes = 0;
  stderr_tail.clear();
  exit.reset();
  greeting.reset();
  stderr_open = true;
  watched = reaped = end_told = false;
  watch_at = suspect_at = kNever;
}

}  // namespace poolproof::pool

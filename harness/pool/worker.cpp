#include "harness/pool/worker.hpp"

#include <cerrno>

namespace poolproof::pool {

bool Worker::is_not_now(int errno_value) {
  return errno_value == EAGAIN;
}

void Worker::begin_again(WorkerId id) {
  id_ = id;
  next_request = 1;
  told_to_look = false;
  told_to_go = RemovalReason::none;
  ping_bytes = 0;
  stderr_tail.clear();
  exit.reset();
  handshake.reset();
  stderr_open = true;
  watched = reaped = end_told = false;
  watch_at = suspect_at = kNever;
}

}  // namespace poolproof::pool

#include "harness/host/worker.hpp"

#include <cerrno>

#include "harness/host/proc_fs.hpp"

namespace poolproof::host {
namespace {

/// A process that wants less than this share of a processor waits for something.
constexpr int kBusyPercent = 20;

}  // namespace

sys::Try<std::size_t> Worker::write(std::string_view bytes) {
  auto wrote = sys::write(stdin_fd(), bytes);
  if (!on_channel()) return wrote;
  if (!wrote) {
    note_reset(wrote.error());
  } else {
    sent_bytes_ += *wrote;
  }
  return wrote;
}

sys::Try<std::size_t> Worker::read(std::span<char> into) {
  auto got = sys::read(stdout_fd(), into);
  if (!got) note_reset(got.error());
  return got;
}

void Worker::note_reset(int error) {
  reset_ = reset_ || (error == ECONNRESET && on_channel());
}

sys::Try<std::size_t> Worker::unread() const {
  if (!on_channel()) return sys::unread_bytes(stdin_fd());
  if (reset_) return sent_bytes_;
  return sys::unread_by_peer(stdin_fd(), child_.channel_inode);
}

bool Worker::nobody_reads() const {
  if (on_channel()) return !sys::peer_reads(stdin_fd());
  return (sys::poll_one(stdin_fd(), 0) & POLLERR) != 0;
}

/// Closes stdin. Of a channel only our own half is closed: the worker's last words may still come.
void Worker::close_stdin() {
  if (on_channel()) {
    if (stdin_open()) sys::end_output(stdin_fd());
  } else {
    child_.stdin_end.reset();
  }
  stdin_fd_ = -1;
}

bool Worker::output_ended() const {
  if (on_channel()) return sys::peer_ended(stdout_fd());
  return (sys::poll_one(stdout_fd(), POLLIN) & (POLLHUP | POLLIN)) == POLLHUP;
}

void Worker::signal_group(int signal) {
  const auto seen = peek_exit();
  if (!seen && seen.error() == ECHILD) return;
  (void)sys::signal_group(child_.pid, signal);
}

void Worker::watch_activity(Time now) {
  watched_from = now;
  demand_before_ = proc_fs::cpu_demand(pid());
}

Activity Worker::activity() const {
  const auto stat = proc_fs::read_stat(pid());
  if (!stat || stat->dead()) return {};
  if (stat->stopped()) return {Activity::Kind::stopped, 0};
  const Time now = sys::now();
  int percent = 0;
  if (watched_from < now) {
    percent = proc_fs::percent_of(proc_fs::cpu_demand(pid()) - demand_before_, now - watched_from);
  }
  const bool runs = percent >= kBusyPercent || (watched_from == kNever && stat->state == 'R');
  return {runs ? Activity::Kind::runs : Activity::Kind::waits, percent};
}

std::uint64_t Worker::rss_bytes() const {
  return proc_fs::resident_bytes(pid());
}

}  // namespace poolproof::host

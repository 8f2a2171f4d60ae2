#include "harness/host/worker.hpp"

#include "harness/host/proc_fs.hpp"

namespace poolproof::host {
namespace {

/// A process that wants less than that of a processor waits for something.
constexpr int kBusyPercent = 20;

}  // namespace

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

#include "harness/host/insight.hpp"

#include <utility>
#include <variant>

namespace poolproof::host {
namespace {

/// How many events may wait for a user who is slow to take them.
constexpr std::size_t kUntoldMax = 10'000;
constexpr std::size_t kHolderBytesMax = 200;

}  // namespace

Insight::Insight(const Options& options)
    : tells_(static_cast<bool>(options.on_event)), meter_(options.core.size, options.leak_after) {}

void Insight::stepped(Time now, const pool::Event& event, std::span<const pool::Effect> effects,
                      const pool::Dispatcher& dispatcher) {
  if (tells_) {
    const std::size_t before = events_.size();
    meter_.stepped(now, event, effects, &events_);
    for (std::size_t i = before; i < events_.size(); ++i) complete(events_[i], dispatcher);
    if (events_.size() > kUntoldMax) {
      events_lost_ += events_.size() - kUntoldMax;
      events_.resize(kUntoldMax);
    }
  } else {
    meter_.stepped(now, event, effects, nullptr);
  }
  if (holders_.empty()) return;
  for (const auto& effect : effects) {
    const auto* const granted = std::get_if<pool::Grant>(&effect);
    const bool named = granted != nullptr && granted->worker.slot < holders_.size();
    if (named) holders_[granted->worker.slot].clear();
  }
}

/// Adds to an event what the Core does not know: the pid, the holder, the reason.
void Insight::complete(pool::PoolEvent& event, const pool::Dispatcher& dispatcher) const {
  using Kind = pool::PoolEvent::Kind;
  if (event.kind == Kind::leak) event.holder = holder_in(event.worker.slot);
  if (event.kind != Kind::started && event.kind != Kind::left) return;
  const pool::Worker* const worker = dispatcher.find(event.worker);
  if (worker == nullptr) return;
  if (event.kind == Kind::started) event.pid = worker->pid();
  if (event.kind == Kind::left) event.why = worker->told_to_go;
}

void Insight::set_holder(LeaseId lease, WorkerId worker, std::string_view name) {
  if (!meter_.holds(lease)) return;
  if (worker.slot >= holders_.size()) holders_.resize(worker.slot + std::size_t{1});
  holders_[worker.slot] = name.substr(0, kHolderBytesMax);
}

std::vector<Leak> Insight::leaks(Time now) const {
  std::vector<Leak> leaks;
  meter_.for_each_leak(now, [&](const pool::Meter::Hold& hold) {
    leaks.push_back({hold.lease, hold.worker, std::string(holder_in(hold.worker.slot)), hold.since,
                     now - hold.since});
  });
  return leaks;
}

std::string_view Insight::holder_in(std::uint32_t slot) const {
  return slot < holders_.size() ? std::string_view(holders_[slot]) : std::string_view();
}

std::vector<pool::PoolEvent> Insight::take_events() {
  return std::exchange(events_, {});
}

}  // namespace poolproof::host

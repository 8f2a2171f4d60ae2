#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "harness/oracle/rules.hpp"
#include "harness/pool/lease_number.hpp"
#include "harness/pool/meter.hpp"

/// Checks what a pool measures of itself against its self-report: each wait, use, start and leak is
/// counted once more, in a simple way.
namespace poolproof::oracle {
namespace {

using pool::Histogram;
using pool::Meter;
using pool::PoolEvent;
using namespace std::chrono_literals;

/// When a lease counts as leaked: generated clients hold some leases for longer.
constexpr Duration kLeakAfter = 100ms;

struct Spans {
  std::array<std::uint64_t, Histogram::kBounds + 1> in{};
  Duration sum{};

  void add(Duration span) {
    std::size_t bucket = 0;
    while (bucket < Histogram::kBounds && span > Histogram::bound(bucket)) ++bucket;
    ++in[bucket];
    sum += span;
  }
  [[nodiscard]] bool is_same(const Histogram& measured) const {
    if (measured.sum() != sum) return false;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (measured.in(i) != in[i]) return false;
    }
    return true;
  }
};

/// How many events there were of each kind.
using Kinds = std::array<std::uint64_t, enumerators<PoolEvent::Kind>()>;

class Recount {
 public:
  void take(const trace::PoolRecord& record) {
    now_ = std::max(now_, record.at);
    record_ = &record;
    for (Held& held : held_) {
      if (!held.told && after(held.since, kLeakAfter) <= now_) {
        held.told = true;
        tell(PoolEvent::Kind::leak);
      }
    }
    dispatch(record.event, [this](const auto& event) { happened(event); });
    for (const pool::Effect& effect : record.effects) {
      dispatch(effect, [this](const auto& order) { ordered(order); });
    }
  }

  Spans wait;
  Spans use;
  Spans start;
  Kinds kinds{};

 private:
  struct Held {
    LeaseId lease;
    WorkerId worker;
    Time since;
    bool told = false;  ///< it has been counted as a leak
  };
  struct Waiting {
    CheckoutId checkout;
    Time since;
  };
  struct Start {
    WorkerId worker;
    Time since;
  };

  void happened(const pool::CheckoutRequested& event) {
    const bool waits = std::ranges::any_of(
        waiting_, [&](const Waiting& one) { return one.checkout == event.checkout; });
    if (!waits) waiting_.push_back({event.checkout, now_});
  }
  void happened(const pool::CheckedIn& event) {
    end_leases([&](const Held& held) { return held.lease == event.lease; });
  }
  void happened(const pool::Started& event) {
    if (start_of(event.worker) != starts_.end()) tell(PoolEvent::Kind::started);
  }
  /// A start that was given up before its worker was ready is not counted.
  void happened(const pool::HandshakeEnded& event) {
    const auto begun = start_of(event.worker);
    if (begun == starts_.end()) return;
    const Duration took = now_ - begun->since;
    starts_.erase(begun);
    const bool given_up = std::ranges::any_of(record_->effects, [&](const pool::Effect& effect) {
      const auto* stop = std::get_if<pool::Stop>(&effect);
      return stop != nullptr && stop->worker == event.worker && !pool::is_recycling(stop->why);
    });
    if (given_up || event.evidence.cause != StartCause::none) return;
    start.add(took);
    tell(PoolEvent::Kind::ready);
  }
  template <class Other>
  void happened(const Other& /*event*/) {}

  void ordered(const pool::Grant& effect) {
    const Duration waited = end_wait(effect.checkout);
    wait.add(waited);
    held_.push_back({effect.lease, effect.worker, now_});
    if (waited > Duration::zero()) tell(PoolEvent::Kind::waited);
    tell(PoolEvent::Kind::leased);
  }
  void ordered(const pool::Refuse& effect) {
    end_wait(effect.checkout);
    tell(PoolEvent::Kind::waited);
  }
  void ordered(const pool::Start& effect) { starts_.push_back({effect.worker, now_}); }
  void ordered(const pool::Stop& effect) { goes(effect.worker); }
  void ordered(const pool::Forget& effect) {
    goes(effect.worker);
    tell(PoolEvent::Kind::left);
  }
  template <class Other>
  void ordered(const Other& /*effect*/) {}

  void goes(WorkerId worker) {
    const auto begun = start_of(worker);
    if (begun != starts_.end()) starts_.erase(begun);
    end_leases([&](const Held& held) { return held.worker == worker; });
  }

  template <class Ends>
  void end_leases(Ends ends) {
    std::erase_if(held_, [&](const Held& held) {
      if (!ends(held)) return false;
      use.add(now_ - held.since);
      tell(PoolEvent::Kind::returned);
      return true;
    });
  }
  Duration end_wait(CheckoutId checkout) {
    const auto waiting = std::ranges::find(waiting_, checkout, &Waiting::checkout);
    if (waiting == waiting_.end()) return {};
    const Duration waited = now_ - waiting->since;
    waiting_.erase(waiting);
    return waited;
  }
  std::vector<Start>::iterator start_of(WorkerId worker) {
    return std::ranges::find(starts_, worker, &Start::worker);
  }
  void tell(PoolEvent::Kind kind) { ++kinds[static_cast<std::size_t>(kind)]; }

  Time now_ = Time::min();
  const trace::PoolRecord* record_ = nullptr;
  std::vector<Held> held_;
  std::vector<Waiting> waiting_;
  std::vector<Start> starts_;
};

/// The Meter trusts the Core: slots must be below the size, and a lease's number must tell its
/// slot.
bool is_fit_to_measure(const trace::PoolRecord& record, std::uint32_t size) {
  return std::ranges::all_of(record.effects, [size](const pool::Effect& effect) {
    const auto* grant = std::get_if<pool::Grant>(&effect);
    if (grant != nullptr) {
      return grant->worker.slot < size && grant->lease != LeaseId::none &&
             pool::slot_of_lease(grant->lease, size) == grant->worker.slot;
    }
    const auto* start = std::get_if<pool::Start>(&effect);
    const auto* stop = std::get_if<pool::Stop>(&effect);
    const auto* forgotten = std::get_if<pool::Forget>(&effect);
    return (start == nullptr || start->worker.slot < size) &&
           (stop == nullptr || stop->worker.slot < size) &&
           (forgotten == nullptr || forgotten->worker.slot < size);
  });
}

}  // namespace

void judge_measures(const Case& given, Findings& findings) {
  const trace::Trace& trace = given.evidence.trace;
  const std::uint32_t size = given.evidence.scenario.pool.core.size;
  // A self-report that breaks a promise can't be measured.
  if (given.self_report == nullptr || !given.self_report->findings().empty()) return;
  Meter meter(size, kLeakAfter);
  Recount recount;
  Kinds told{};
  std::vector<PoolEvent> events;
  for (const trace::PoolRecord& record : trace.pool) {
    if (!is_fit_to_measure(record, size)) return;
    events.clear();
    meter.stepped(record.at, record.event, record.effects, &events);
    for (const PoolEvent& event : events) ++told[static_cast<std::size_t>(event.kind)];
    recount.take(record);
  }
  const Time end = trace.pool.back().at;
  const auto check = [&](std::string_view what, const Spans& counted, const Histogram& measured) {
    if (counted.is_same(measured)) return;
    tell(findings, "witnesses", end, "the pool's histogram of {} is not that of its record", what);
  };
  check("waits", recount.wait, meter.timings().wait);
  check("uses", recount.use, meter.timings().use);
  check("starts", recount.start, meter.timings().start);
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (told[i] == recount.kinds[i]) continue;
    tell(findings, "witnesses", end, "the pool tells its user of {} events of the kind {}, {} came",
         told[i], pool::kPoolEventNames[i], recount.kinds[i]);
  }
}

}  // namespace poolproof::oracle

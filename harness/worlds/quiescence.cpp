#include "harness/worlds/quiescence.hpp"

#include "harness/host/census.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"

namespace poolproof::worlds {
namespace {

using namespace std::chrono_literals;

/// How long a pool may take to come to rest.
constexpr Duration kQuiescenceLimit = 5s;
/// How long a pool may take to notice an end that the system shows already.
constexpr Duration kNoticeLimit = 5s;

/// Whether the system shows the workers that the pool believes to have. If not, one is just ending.
bool is_as_told(const trace::OsRecord& seen, const trace::OsRecord& before,
                const host::Statistics& told) {
  return seen.zombies == before.zombies && seen.children == before.children + told.gauges.idle;
}

}  // namespace

trace::OsRecord os_record(const char* when) {
  const host::Census census = host::take_census();
  trace::OsRecord record;
  record.at = host::sys::now();
  record.when = when;
  record.children = census.children;
  record.zombies = census.zombies;
  record.descriptors = census.descriptors;
  record.threads = census.threads;
  return record;
}

std::optional<trace::OsRecord> quiescence_census(host::Pool& pool, Milestones& milestones,
                                                 const trace::OsRecord& before) {
  const Time give_up = after(host::sys::now(), kQuiescenceLimit);
  for (Time now = host::sys::now(); now < give_up; now = host::sys::now()) {
    const std::uint64_t events = milestones.events();
    if (!pool.wait_until_quiescent(give_up - now)) return std::nullopt;
    trace::OsRecord record = os_record("quiescent");
    if (milestones.events() != events) continue;
    if (is_as_told(record, before, pool.statistics())) return record;
    // What the pool has not noticed for so long it never will: that is to be judged.
    if (!milestones.await_events_after(events, kNoticeLimit)) return record;
  }
  return std::nullopt;
}

}  // namespace poolproof::worlds

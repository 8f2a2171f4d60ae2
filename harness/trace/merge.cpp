#include "harness/trace/merge.hpp"

#include <algorithm>
#include <tuple>

namespace poolproof::trace {

std::vector<Merged> merged(const Trace& trace) {
  std::vector<Merged> all;
  all.reserve(trace.clients.size() + trace.workers.size() + trace.os.size() +
              trace.environment.size() + trace.pool.size());
  for (const OsRecord& one : trace.os) all.push_back({one.at, one.when == "before" ? 0 : 5, &one});
  for (const EnvironmentRecord& one : trace.environment) all.push_back({one.at, 1, &one});
  for (const WorkerRecord& one : trace.workers) all.push_back({one.at, 2, &one});
  for (const PoolRecord& one : trace.pool) all.push_back({one.at, 3, &one});
  for (const ClientStep& one : trace.clients) all.push_back({one.ended, 4, &one});
  std::stable_sort(all.begin(), all.end(), [](const Merged& a, const Merged& b) {
    return std::tie(a.at, a.rank) < std::tie(b.at, b.rank);
  });
  return all;
}

Time begin_of(const std::vector<Merged>& all) {
  return all.empty() ? Time{} : all.front().at;
}

}  // namespace poolproof::trace

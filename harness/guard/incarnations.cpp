#include "harness/guard/incarnations.hpp"

#include <algorithm>
#include <map>

namespace poolproof::guard {
namespace {

using faults::JournalRecord;
using Kind = JournalRecord::Kind;

void note_read(Incarnation& one, const JournalLine& line, Duration at) {
  const JournalRecord& record = line.said.record;
  one.asked.push_back({record.request.value_or(one.asked.size()), record.command, record.nonce,
                       line.digest, record.has_id(), line.early, at, std::nullopt});
  if (one.asked.back().says_goodbye() && !one.goodbye) one.goodbye = at;
}

void note(Incarnation& one, const JournalLine& line, Duration at) {
  const JournalRecord& record = line.said.record;
  one.last = at;
  switch (record.kind) {
    case Kind::read:
      note_read(one, line, at);
      break;
    case Kind::wrote:
      for (WorkerRequest& asked : one.asked) {
        if (asked.number == record.request) asked.wrote = at;
      }
      break;
    case Kind::receipt:
      one.receipts.push_back({record.fault, record.plan_id, record.request, at});
      break;
    case Kind::stdin_end:
      one.stdin_end = at;
      break;
    case Kind::term:
      one.term = at;
      break;
    case Kind::exiting:
      one.exiting = record.code;
      break;
    case Kind::goodbye:
      if (!one.goodbye) one.goodbye = at;
      break;
    case Kind::grandchild:
      one.children.push_back(record.child_pid);
      break;
    case Kind::started:
    case Kind::misframed:
      break;
  }
}

}  // namespace

bool Incarnation::has_served() const {
  return std::ranges::any_of(asked, [](const WorkerRequest& one) { return one.wrote.has_value(); });
}

const WorkerRequest* Incarnation::in_flight() const {
  const auto is_waited_for = [](const WorkerRequest& one) {
    return one.is_owed && !one.wrote && !one.says_goodbye();
  };
  const auto found = std::ranges::find_if(asked, is_waited_for);
  return found == asked.end() ? nullptr : &*found;
}

std::optional<Duration> Incarnation::asked_to_leave() const {
  std::optional<Duration> first;
  for (const auto& at : {stdin_end, term, goodbye}) {
    if (at && (!first || *at < *first)) first = at;
  }
  return first;
}

std::vector<Incarnation> incarnations_of(std::span<const JournalLine> journal, Time begun) {
  std::vector<Incarnation> all;
  // For each pid, the place in `all` of its latest incarnation
  std::map<std::int64_t, std::size_t> current;
  for (const JournalLine& journal_line : journal) {
    const faults::StampedJournalRecord& line = journal_line.said;
    const Duration at = line.at - begun;
    if (line.record.kind == Kind::started || !current.contains(line.pid)) {
      current[line.pid] = all.size();
      all.emplace_back();
      all.back().pid = line.pid;
      all.back().worker = line.worker;
      all.back().started = at;
    }
    Incarnation& one = all[current[line.pid]];
    note(one, journal_line, at);
    one.real_was_killed = one.real_was_killed || journal_line.signal > 0;
  }
  return all;
}

}  // namespace poolproof::guard

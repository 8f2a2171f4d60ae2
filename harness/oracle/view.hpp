#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

/// Witnesses stamp and round to the microsecond each in their own way: across witnesses, "before"
/// means by more than this.
inline constexpr Duration kGrain{2};

/// One client's hold of one worker, as its history tells: surely held from `from` to `to`.
struct Hold {
  const trace::ClientStep* checkout = nullptr;
  WorkerId worker;
  Time from;  ///< the checkout had returned
  Time to;  ///< the check-in (or throw, or next checkout) begins; else the client's last step ended
};

/// What the journal tells of one incarnation, in the order of its file.
struct Incarnation {
  std::vector<const trace::WorkerRecord*> records;

  [[nodiscard]] const trace::WorkerRecord* first(faults::JournalRecord::Kind kind) const;
};

/// The witnesses' records, sorted for the invariants. Points into the evidence, which must outlive
/// it. Knows nothing of the pool's testimony.
class View {
 public:
  explicit View(const Evidence& evidence);

  std::vector<Hold> holds;
  std::vector<const trace::ClientStep*> calls;  ///< not skipped; call and call_bytes
  std::map<std::string_view, const trace::ClientStep*> call_of_nonce;
  std::map<WorkerId, Incarnation> incarnations;
  Time begun;        ///< the pool did not exist before
  Time close_begun;  ///< the pool was whole and open until then

  /// Whether the worker in that slot writes a journal.
  [[nodiscard]] bool has_journal(WorkerId worker) const;
  [[nodiscard]] bool all_have_journals() const;

 private:
  void add_holds(const std::vector<const trace::ClientStep*>& history);

  const scenario::Scenario& scenario_;
};

bool is_call(const trace::ClientStep& step);
/// A checkout that got a worker.
bool is_grant(const trace::ClientStep& step);

/// After this call the worker's stream can't be trusted, whatever the pool says of it.
/// `read` says whether a journal shows that the request was read.
bool leaves_doubt(const trace::ClientStep& call, bool read);

/// The name of a client and its step, as findings call it: `client a, step 1 (call a:1)`.
std::string who(const trace::ClientStep& step);

/// Whether that signal, not caught, ends a process.
bool is_deadly(int signal);

/// The fault's row, by the name in a receipt; null for a name nobody knows.
const faults::Fault* fault_of(const faults::JournalRecord& receipt);

}  // namespace poolproof::oracle

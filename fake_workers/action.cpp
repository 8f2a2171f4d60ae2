#include "fake_workers/action.hpp"

#include "fake_workers/plan.hpp"
#include "fake_workers/request.hpp"

namespace poolproof::faults {

void Journal::put_into(JournalRecord& into) const {
  into.kind = kind;
  into.request = request;
  into.bytes = bytes;
  into.code = code;
  into.child_pid = child_pid;
  if (read != nullptr) {
    into.id = read->id;
    into.other_id = noted_id(read->text_id.empty() ? read->refused_id : read->text_id);
    into.command = read->command;
    into.nonce = read->nonce;
  }
  if (fault != nullptr) {
    into.fault = fault->fault->name;
    into.plan_id = fault->id;
  }
}

JournalRecord Journal::record() const {
  JournalRecord record;
  put_into(record);
  return record;
}

}  // namespace poolproof::faults

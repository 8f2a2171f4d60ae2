#include "harness/trace/record.hpp"

namespace poolproof::trace {

void ClientStep::hand_over(ClientStep& to) {
  to.begun = begun;
  to.ended = ended;
  to.repetition = repetition;
  to.step = step;
  to.kind = kind;
  to.skipped = skipped;
  to.outcome = outcome;
  to.phase = phase;
  to.cause = cause;
  to.limit = limit;
  to.lease = lease;
  to.worker = worker;
  to.written_bytes = written_bytes;
  to.in_doubt = in_doubt;
  to.retryable = retryable;
  const auto hand_over_text = [](std::string& from, std::string& into) {
    if (!from.empty()) into.swap(from);
  };
  hand_over_text(client, to.client);
  hand_over_text(message, to.message);
  hand_over_text(command, to.command);
  hand_over_text(nonce, to.nonce);
  hand_over_text(reply_nonce, to.reply_nonce);
}

}  // namespace poolproof::trace

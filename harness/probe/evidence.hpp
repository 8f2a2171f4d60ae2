#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/pool/event.hpp"
#include "harness/probe/session.hpp"
#include "harness/wire/misframing.hpp"

namespace poolproof::probe {

/// How near a worker came to answering a greeting on one wire, in one speech. The nearer the later.
enum class Grade : std::uint8_t {
  silent,     ///< nothing came, or what says nothing of this wire
  noise,      ///< text, or bytes that are nothing known
  meant,      ///< nothing came, but to another greeting it wrote on this wire
  misframed,  ///< it broke a rule that only this wire has
  objection,  ///< a sound message of this wire, which says that it could not make sense of it
  message,    ///< a sound message of this wire that is no answer
  answer,     ///< its answer, or in whatever way it was cut: what it reads is found
  echo,       ///< the greeting itself
  good,       ///< its good answer
};

/// What came of one greeting.
struct Evidence {
  Grade grade = Grade::silent;
  bool sound = false;   ///< the first message is a sound one of this wire
  bool rpc = false;     ///< it says that it is JSON-RPC
  bool logs = false;    ///< it is a log line, which is JSON: it may read whatever it likes
  bool exited = false;  ///< it had ended before it answered
  bool unread = false;  ///< it has read nothing
  bool waits = false;   ///< it has read all and lives on
  bool wrote_nothing = false;
  std::optional<wire::Speech> speech = {};         ///< the one that the answer shows
  std::optional<wire::Misframing> suspicion = {};  ///< the rule that its bytes break
};

/// `start` and `bytes` are what came of the greeting. `any_rpc`: whatever answers it is good.
Evidence evidence_of(const Settings& settings, const pool::StartEvidence& start,
                     std::string_view bytes, bool any_rpc);

}  // namespace poolproof::probe

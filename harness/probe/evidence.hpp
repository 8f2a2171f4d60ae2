#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "harness/pool/event.hpp"
#include "harness/probe/session.hpp"
#include "harness/wire/misframing.hpp"

namespace poolproof::probe {

/// How near a worker came to answering a greeting on one wire and in one speech; later is nearer.
enum class Grade : std::uint8_t {
  silent,     ///< nothing came, or nothing that tells of this wire
  noise,      ///< text, or bytes that are nothing known
  meant,      ///< nothing came, but in answer to another greeting it wrote on this wire
  misframed,  ///< it broke a rule that only this wire has
  objection,  ///< a sound message of this wire, saying that it could not make sense of the greeting
  message,    ///< a sound message of this wire that is no answer
  answer,     ///< its answer, though bad or cut off: the wire that it reads is found
  echo,       ///< the greeting itself was sent back
  good,       ///< a good answer to the greeting
};

/// What came of greeting a worker once.
struct Evidence {
  Grade grade = Grade::silent;
  bool sound = false;    ///< the first message is a sound one on this wire
  bool rpc = false;      ///< the message says that it is JSON-RPC
  bool logs = false;     ///< it wrote a log line in JSON: that says nothing of what it reads
  bool refuses = false;  ///< it answered the greeting with an error as JSON-RPC has them
  bool exited = false;   ///< the worker had ended before it answered
  bool unread = false;   ///< the worker has read nothing
  bool waits = false;    ///< the worker has read everything and lives on
  bool wrote_nothing = false;
  bool binary = false;          ///< it wrote whole messages of this wire that are not meant as JSON
  bool binary_varints = false;  ///< or of a wire with varints, as Bazel's workers do
  std::optional<wire::Speech> speech = {};         ///< the speech that the answer shows
  std::optional<wire::Misframing> suspicion = {};  ///< the wire's rule that its bytes break
};

/// `start` and `bytes`: what came of the greeting. `any_rpc`: any answer in JSON-RPC counts as
/// good.
Evidence evidence_of(const Settings& settings, const pool::StartEvidence& start,
                     std::string_view bytes, bool any_rpc);

}  // namespace poolproof::probe

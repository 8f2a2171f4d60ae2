#pragma once

#include <cstdint>

#include "harness/wire/conversation.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {

struct PlannedFault;

/// What a fault leaves of a reply, as its reader finds out.
enum class Leaves : std::uint8_t {
  sound,      ///< a sound reply, at once
  late,       ///< a sound reply, after a pause or with pauses in it
  held_back,  ///< a sound reply, but not before the worker's stdin ends
  error,      ///< a sound error reply
  surplus,    ///< a sound reply, be it an error, and bytes behind it
  no_reply,   ///< a whole frame that is no reply
  no_frame,   ///< bytes that no frame begins with
  unframed,   ///< the same: a sound reply without a frame around it
  part,       ///< the beginning of a frame
  nothing,    ///< no byte
  garbled,    ///< no_reply, no_frame or part: the reply's length tells which
  depends,    ///< it may be sound: the reply's own bytes tell
};

/// Who reads the reply.
struct Reader {
  wire::Framing framing;
  wire::Payload payload = wire::Payload::envelope;
  wire::Speech speech = wire::Speech::bridge;
};

/// The table's column: a word, or a function of the fault's parameters and of the reader. It has
/// no default, so that a row without it does not compile. An opaque reader takes any whole frame
/// for a reply: of what is no reply to others, functions need not ask.
class LeavesColumn {
 public:
  using Function = Leaves (*)(const PlannedFault&, const Reader&);
  // NOLINTNEXTLINE(google-explicit-constructor): rows say the bare word
  constexpr LeavesColumn(Leaves always) : always_(always) {}
  // NOLINTNEXTLINE(google-explicit-constructor): rows say the bare function
  constexpr LeavesColumn(Function function) : function_(function) {}

  [[nodiscard]] Leaves of(const PlannedFault& planned, const Reader& reader) const {
    return function_ == nullptr ? always_ : function_(planned, reader);
  }

 private:
  Function function_ = nullptr;
  Leaves always_ = Leaves::depends;
};

/// What is left of the reply to the request at which it strikes, or, of a fault that knows no
/// requests, to the first one. A frame of JSON; and nothing else has struck.
Leaves leaves_of_reply(const PlannedFault& planned, const Reader& reader);

/// There is no reply in it, whatever comes later.
bool is_spoilt(Leaves leaves);

/// It ends its own process.
bool ends_process(const PlannedFault& planned);

/// The worker lives, its stdout is open, and who reads may wait for ever.
bool leaves_waiting(const PlannedFault& planned, const Reader& reader);

/// A pool has no reason to put the worker away: the reply is one like any other.
bool keeps_worker(const PlannedFault& planned, const Reader& reader);

/// It answers a request that it has not read.
bool answers_unread(const PlannedFault& planned);

/// It writes to stdout while no request is in hand.
bool writes_unasked(const PlannedFault& planned);

/// How long it pauses, if it has a parameter for that.
Duration pause_of(const PlannedFault& planned);
/// How much it writes to stderr when it strikes.
std::uint64_t stderr_bytes_of(const PlannedFault& planned);

}  // namespace poolproof::faults

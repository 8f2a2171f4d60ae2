#pragma once

#include <cstdint>

#include "harness/wire/conversation.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {

struct PlannedFault;

/// What a fault leaves of a reply, as the reader of the reply finds out.
enum class Leaves : std::uint8_t {
  sound,      ///< a sound reply, at once
  late,       ///< a sound reply, after a pause or with pauses in it
  held_back,  ///< a sound reply, but not before the worker's stdin ends
  error,      ///< a sound error reply
  surplus,    ///< a sound reply, be it an error, and bytes behind it
  no_reply,   ///< a whole frame that is no reply
  no_frame,   ///< bytes with which no frame can begin
  unframed,   ///< a sound reply without a frame around it: no frame begins with it
  part,       ///< only the beginning of a frame
  nothing,    ///< no byte at all
  garbled,    ///< no_reply, no_frame or part: which one depends on the reply's length
  depends,    ///< it may be sound: that depends on the reply's own bytes
};

/// How the reader of a reply reads it.
struct Reader {
  wire::Framing framing;
  wire::Payload payload = wire::Payload::envelope;
  wire::Speech speech = wire::Speech::bridge;
};

/// A value of the table's column `leaves`: a word, or a function of the fault's parameters and of
/// the reader. It has no default, so that a row without it does not compile. An opaque reader takes
/// any whole frame for a reply: leaves_of_reply() sees to that, and functions need not.
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

/// What the fault leaves of the reply to the request at which it strikes; of a fault that knows no
/// requests, of the first reply. The reply is a frame of JSON, and no other fault has struck.
Leaves leaves_of_reply(const PlannedFault& planned, const Reader& reader);

/// Whether no sound reply is left, whatever comes later.
bool is_spoilt(Leaves leaves);

/// Whether the fault ends its worker's process.
bool ends_process(const PlannedFault& planned);

/// Whether a reader may wait for ever: the worker lives, and its stdout is open.
bool leaves_waiting(const PlannedFault& planned, const Reader& reader);

/// Whether the worker may answer the request at which the fault strikes, and no later one.
bool stalls_later_requests(const PlannedFault& planned);

/// Whether a pool has no reason to put the worker away: the reply is one like any other.
bool keeps_worker(const PlannedFault& planned, const Reader& reader);

/// Whether the fault makes the worker answer a request that it has not read.
bool answers_unread(const PlannedFault& planned);

/// Whether the fault writes to stdout while no request is in hand.
bool writes_unasked(const PlannedFault& planned);

/// How long the fault pauses; zero: it has no parameter for a pause.
Duration pause_of(const PlannedFault& planned);
/// How many bytes the fault writes to stderr when it strikes.
std::uint64_t stderr_bytes_of(const PlannedFault& planned);

}  // namespace poolproof::faults

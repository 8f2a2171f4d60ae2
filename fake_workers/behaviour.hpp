#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fake_workers/action.hpp"
#include "fake_workers/catalogue.hpp"
#include "fake_workers/plan.hpp"
#include "fake_workers/reply.hpp"

namespace poolproof::faults {

/// When a behaviour is called: the catalogue's moments in finer steps, so that faults compose in a
/// fixed order, whatever the order of the plan. Within a stage they strike in plan order.
enum class Stage : std::uint8_t {
  start,        ///< before anything is read
  first_bytes,  ///< the first bytes have been read, but not looked at
  before_read,  ///< a request, or the rest of one, is to be read next
  request,      ///< a request has been read, and nothing done about it
  content,      ///< the reply's parts are made, and faults may change them
  pause,        ///< the reply is ready, and not written yet
  writing,      ///< it is being decided how the reply is written
  idle,         ///< after the reply, with no request in hand
  stay,         ///< the worker has a reason to leave: does it obey?
  leave,        ///< the worker obeys a reason to leave: how does it leave?
  launch,       ///< there is no worker yet: see launch.hpp, no Brain calls this stage
};

/// What a worker still does with its input, and whether it lives.
struct WorkerState {
  enum class Reading : std::uint8_t {
    frames,
    lines,       ///< it looks for a line of JSON and never finds one
    discarding,  ///< it reads and throws away
    nothing,
  };
  Reading reading = Reading::frames;
  bool over = false;
  /// It answers the request before it is read, and then reads no more
  bool answers_unread = false;
  std::size_t read_bytes = 0;  ///< how much it has read of the request under way
  /// Where it stops within a request to look again
  std::size_t read_at_most = std::numeric_limits<std::size_t>::max();
  Actions buffer;          ///< the replies that are held back, each with its journal record
  std::string last_reply;  ///< all bytes of the last reply; kept only if a fault repeats it
  std::size_t held = 0;    ///< how many actions in `buffer` have been carried out already

  void begin();  ///< resets to the state of a worker that has just been started
  void stop_reading(Actions& out);
  void hold_back(Write write, const Journal& wrote, Actions& out);
  void held_back();  ///< one more reply has gone into the buffer
  void flush(Actions& out);
  /// Drops the held-back replies that have not gone into the buffer yet.
  void cut_short() { buffer.resize(held); }
  /// Exits by itself; what is in the buffer comes out first.
  void exit(int code, Actions& out);
  /// Exits or kills itself, as the cut says.
  void end(const Cut& cut, Actions& out);
};

/// A reason to exit that a worker has got, and what it makes of it.
struct Departure {
  enum class Cause : std::uint8_t { stdin_end, term, request };
  Cause cause;
  int code = 0;
  bool stays = false;  ///< the worker takes no notice of the reason
};

/// What a behaviour sees, and may change, when its fault strikes.
struct Scene {
  const PlannedFault& fault;
  std::optional<std::uint64_t> request;  ///< the request at which it strikes, if any
  Actions& out;
  WorkerState& state;
  ReplyInProgress* reply = nullptr;  ///< in the stages content, pause, writing
  Departure* departure = nullptr;    ///< in the stages stay, leave

  void receipt() const;
  void pause() const;  ///< adds a pause of the fault's `delay_ms`
  [[nodiscard]] std::int64_t number(std::string_view param) const { return fault.number(param); }
  [[nodiscard]] const std::string& text(std::string_view param) const { return fault.text(param); }
};

/// What a worker does when one fault strikes.
struct Behaviour {
  enum class Receipt : std::uint8_t {
    first,   ///< the receipt is written before the fault strikes
    itself,  ///< `strike` writes it, once, unless the fault does not strike in this case
  };
  std::string_view fault;  ///< the fault's name in the catalogue
  Stage stage;
  void (*strike)(const Scene&);
  Receipt receipt = Receipt::first;
};

/// Whether the fault makes the worker repeat its reply to the request before.
bool repeats_reply(const PlannedFault& planned);

/// The behaviours, one for each fault, in the order of the catalogue.
std::span<const Behaviour> behaviours();
const Behaviour& behaviour_of(const Fault& fault);

}  // namespace poolproof::faults

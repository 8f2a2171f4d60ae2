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

/// When a behaviour is called: the catalogue's moments, cut finer so that faults compose in a fixed
/// order whatever the order of the plan. Within a stage they strike in plan order.
enum class Stage : std::uint8_t {
  start,        ///< before anything is read
  first_bytes,  ///< the first bytes were read and are not looked at yet
  before_read,  ///< about to read a request, or the rest of one
  request,      ///< the request was read, nothing is done about it yet
  content,      ///< the reply's pieces stand
  pause,        ///< the reply stands and is not written yet
  writing,      ///< how the reply is written
  idle,         ///< after the reply
  stay,         ///< whether it obeys a reason to leave
  leave,        ///< it obeys: how it leaves
  launch,       ///< there is no worker yet: see launch.hpp, no Brain comes to this
};

/// What a worker still does with its input, and whether it lives.
struct WorkerState {
  enum class Reading : std::uint8_t {
    frames,
    lines,       ///< looks for a line of JSON and never finds one
    discarding,  ///< reads and throws away
    nothing,
  };
  Reading reading = Reading::frames;
  bool over = false;
  bool answers_unread = false;  ///< the request that is being read; then it reads no more
  std::size_t read_bytes = 0;   ///< of the request that is being read
  std::size_t read_at_most = std::numeric_limits<std::size_t>::max();  ///< before it looks again
  Actions buffer;          ///< replies that are held back, with their journal records
  std::string last_reply;  ///< all that was written of it; only where a fault says it again
  std::size_t held = 0;    ///< actions of it that are there already; those behind are still to come

  void begin();  ///< of a worker that has just been started
  void stop_reading(Actions& out);
  void hold_back(Write write, const Journal& wrote, Actions& out);
  void held_back();  ///< one more reply is there
  void flush(Actions& out);
  /// Of what is still to come nothing will.
  void cut_short() { buffer.resize(held); }
  /// Exits by itself: the buffer comes out first.
  void exit(int code, Actions& out);
  /// Exits or kills itself.
  void end(const Cut& cut, Actions& out);
};

/// A worker has a reason to exit.
struct Departure {
  enum class Cause : std::uint8_t { stdin_end, term, request };
  Cause cause;
  int code = 0;
  bool stays = false;  ///< takes no notice of it
};

/// What a behaviour sees, and may change, while its fault strikes.
struct Scene {
  const PlannedFault& fault;
  std::optional<std::uint64_t> request;  ///< the request it strikes at, if any
  Actions& out;
  WorkerState& state;
  ReplyInProgress* reply = nullptr;  ///< stages content, pause, writing
  Departure* departure = nullptr;    ///< stages stay, leave

  void receipt() const;
  void pause() const;  ///< for the fault's `delay_ms`
  [[nodiscard]] std::int64_t number(std::string_view param) const { return fault.number(param); }
  [[nodiscard]] const std::string& text(std::string_view param) const { return fault.text(param); }
};

/// What the worker does when the fault strikes.
struct Behaviour {
  enum class Receipt : std::uint8_t {
    first,   ///< the receipt is written before the fault strikes
    itself,  ///< `strike` writes it, once, unless the fault does not strike here after all
  };
  std::string_view fault;  ///< its name in the catalogue
  Stage stage;
  void (*strike)(const Scene&);
  Receipt receipt = Receipt::first;
};

/// It says the reply to the request before once more.
bool repeats_reply(const PlannedFault& planned);

/// One for each fault, in the order of the catalogue.
std::span<const Behaviour> behaviours();
const Behaviour& behaviour_of(const Fault& fault);

}  // namespace poolproof::faults

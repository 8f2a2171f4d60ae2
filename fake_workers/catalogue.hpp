#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "fake_workers/leaves.hpp"
#include "harness/base/enumerators.hpp"

namespace poolproof::faults {

/// What kind of trouble a fault is; reports group by it.
enum class Family : std::uint8_t { drop, misframe, delay, shutdown };

/// When a worker meets the fault. The moment decides which aims make sense.
enum class Moment : std::uint8_t {
  start,     ///< before the first request is read: aimed by {slot, generation}
  reading,   ///< before a request, or the rest of one, is read: aimed by {slot, generation,
             ///< request}, for no client's nonce has been seen
  request,   ///< before or instead of answering: aimed by {client, call} or {slot, generation,
             ///< request}
  reply,     ///< while the reply is written: aimed as `request`
  idle,      ///< after a reply, with no request in hand: aimed as `request` (the one just answered)
  shutdown,  ///< at end of stdin, TERM or the shutdown request: aimed by {slot, generation}
  launch,    ///< before there is a worker, by whoever starts it: aimed by {slot, generation}
};

inline constexpr std::size_t kMoments = enumerators<Moment>();

/// One parameter of a fault: a whole number with bounds, a text, or one of a few words.
struct Param {
  std::string_view name;  ///< ends in its unit, as in `delay_ms` or `text_bytes`
  std::string_view meaning = {};
  bool is_text = false;
  bool is_pause = false;  ///< a number of milliseconds to wait, drawn like all times
  std::string_view default_text = {};
  std::int64_t default_number = 0;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();  ///< for a text: the most bytes
  /// If there are any, the text must be one of these
  std::span<const std::string_view> words = {};
  /// The numbers that a generator draws from, unless it is a pause; the first is the simplest.
  /// Those out of bounds are moved to the bound.
  std::array<std::int64_t, 4> palette = {};
  /// A value that shows as much as the default, in less time
  std::optional<std::int64_t> quick = {};
};

/// How the fault ends the worker's process.
enum class End : std::uint8_t {
  lives,
  exits,
  by_signal,  ///< by the signal in its parameter `signal`, if that is deadly
  as_told,    ///< by its parameter `then`, if that is `exit` or `kill`
};

/// Which pipe the worker closes when the fault strikes.
enum class Closes : std::uint8_t { nothing, stdin_, stdout_ };

/// How the fault shows in its own worker's journal, where its effect can be measured.
enum class Shows : std::uint8_t {
  elsewhere,             ///< not there: in what other witnesses saw
  by_receipt,            ///< nobody sees an effect: the receipt is the proof
  pause_before_reading,  ///< a pause of `delay_ms`, as all pauses but pauses_in_reply
  pause_before_reply,
  pause_before_exit,
  pauses_in_reply,  ///< a pause of `gap_ms` after each `chunk_bytes`
  pieces,           ///< writes of `chunk_bytes` each
  process,          ///< a process is left behind, for `lifetime_ms`
};

/// The reasons to leave at which a fault of the moment `shutdown` strikes.
struct Reasons {
  bool stdin_end = false;
  bool term = false;
  bool request = false;
  bool operator==(const Reasons&) const = default;
};

/// Columns of the table that most rows leave at their defaults.
struct Traits {
  bool harmless = false;  ///< all calls of a sound pool succeed in spite of the fault
  /// The fault changes bytes inside frames: how a call ends may depend on how its reader parses
  /// them.
  bool touches_payload = false;
  bool writes_unasked = false;  ///< it writes its `text` to stdout while no request is in hand
  End end = End::lives;
  Closes closes = Closes::nothing;
  Shows shows = Shows::elsewhere;
  Reasons strikes_at = {};
};

/// One row of the fault table. The name is the same in JSON, C++, Python, tests and reports. Code
/// outside this room never names a fault: it asks a column of the table. leaves_test.cpp checks the
/// columns against what a Brain does.
struct Fault : Traits {
  std::string_view name;
  Family family;
  Moment moment;
  LeavesColumn leaves;  ///< what the fault leaves of a reply: ask leaves_of_reply()
  std::span<const Param> params;
  std::string_view summary;  ///< one sentence: what the worker does
  std::string_view source;   ///< the fault's row in the catalogue or its public bug (K55, M-2...)

  constexpr Fault(std::string_view its_name, Family of, Moment when, LeavesColumn left,
                  std::span<const Param> with, std::string_view what, std::string_view from,
                  const Traits& traits = {})
      : Traits(traits),
        name(its_name),
        family(of),
        moment(when),
        leaves(left),
        params(with),
        summary(what),
        source(from) {}
};

/// All faults, in the order of the documentation.
std::span<const Fault> catalogue();

/// The row of that name; null: there is none.
const Fault* find(std::string_view name);

/// Whether the fault is aimed by {slot, generation} alone, because it knows no requests.
bool aimed_by_incarnation(const Fault& fault);

/// Whether the fault may be aimed by {client, call}.
bool aimed_by_call(const Fault& fault);

/// The fault that cuts a frame after its `keep_bytes` and goes on as its `then` says: for
/// Moment::reading it cuts a request, for Moment::reply a reply.
const Fault& cutting(Moment moment);

std::string_view name(Family family);
std::string_view name(Moment moment);

}  // namespace poolproof::faults

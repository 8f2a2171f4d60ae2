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

/// What kind of trouble it is; reports group by it.
enum class Family : std::uint8_t { drop, misframe, delay, shutdown };

/// When a worker meets the fault. It decides which aims make sense.
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
  std::string_view name;  ///< ends in its unit: `delay_ms`, `text_bytes`
  std::string_view meaning = {};
  bool is_text = false;
  bool is_pause = false;  ///< a number: how long it waits, drawn as all times are
  std::string_view default_text = {};
  std::int64_t default_number = 0;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();  ///< of a text: bytes
  std::span<const std::string_view> words = {};  ///< not empty: the text is one of these
  /// What a generator draws where it is no pause; the first is the simplest. What is out of the
  /// bounds is brought to them.
  std::array<std::int64_t, 4> palette = {};
  std::optional<std::int64_t> quick = {};  ///< shows as much as the default, and sooner
};

/// How it ends the worker's process.
enum class End : std::uint8_t {
  lives,
  exits,
  by_signal,  ///< by its parameter `signal`, if that is deadly
  as_told,    ///< by its parameter `then`, if that says `exit` or `kill`
};

/// Which pipe the worker closes as soon as it strikes.
enum class Closes : std::uint8_t { nothing, stdin_, stdout_ };

/// How it shows in its own worker's journal. So one measures there whether it was felt.
enum class Shows : std::uint8_t {
  elsewhere,             ///< in what other witnesses saw
  by_receipt,            ///< nobody sees it: that it struck is the proof
  pause_before_reading,  ///< for its `delay_ms`, as all pauses but one
  pause_before_reply,
  pause_before_exit,
  pauses_in_reply,  ///< for its `gap_ms` after each `chunk_bytes`
  pieces,           ///< of `chunk_bytes`
  process,          ///< one was left behind, for its `lifetime_ms`
};

/// The reasons to leave at which a fault of the moment `shutdown` strikes.
struct Reasons {
  bool stdin_end = false;
  bool term = false;
  bool request = false;
  bool operator==(const Reasons&) const = default;
};

/// Columns in which most rows say the usual.
struct Traits {
  bool harmless = false;  ///< a sound pool's calls all succeed in spite of it
  /// It changes bytes inside of frames: then what a call comes to may hang on how they are read.
  bool touches_payload = false;
  bool writes_unasked = false;  ///< its `text`, to stdout, while no request is in hand
  End end = End::lives;
  Closes closes = Closes::nothing;
  Shows shows = Shows::elsewhere;
  Reasons strikes_at = {};
};

/// One row of the fault table. The name is the same in JSON, C++, Python, tests and reports.
/// Whoever wants to know something of faults asks a column: outside of this room no name of a fault
/// stands in code. leaves_test.cpp holds the columns against what a Brain does.
struct Fault : Traits {
  std::string_view name;
  Family family;
  Moment moment;
  LeavesColumn leaves;  ///< asked by leaves_of_reply()
  std::span<const Param> params;
  std::string_view summary;  ///< one sentence: what the worker does
  std::string_view source;   ///< the row of the catalogue or the public bug (K55, M-2...)

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

/// Every fault there is, in the order of the documentation.
std::span<const Fault> catalogue();

/// The row of that name, or null.
const Fault* find(std::string_view name);

/// It is aimed by {slot, generation} alone, for it knows no requests.
bool aimed_by_incarnation(const Fault& fault);

/// It may be aimed by {client, call}.
bool aimed_by_call(const Fault& fault);

/// The fault that cuts a frame after its `keep_bytes` and goes on by its `then`: Moment::reading
/// cuts a request, Moment::reply a reply.
const Fault& cutting(Moment moment);

std::string_view name(Family family);
std::string_view name(Moment moment);

}  // namespace poolproof::faults

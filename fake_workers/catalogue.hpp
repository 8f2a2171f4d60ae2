#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace poolproof::faults {

/// What kind of trouble it is; reports group by it.
enum class Family : std::uint8_t { drop, misframe, delay, shutdown };

/// When a worker meets the fault. It decides which aims make sense.
enum class Moment : std::uint8_t {
  start,     ///< before the first request is read: aimed by {slot, generation}
  request,   ///< before or instead of answering: aimed by {client, call} or {slot, generation,
             ///< request}
  reply,     ///< while the reply is written: aimed as `request`
  idle,      ///< after a reply, with no request in hand: aimed as `request` (the one just answered)
  shutdown,  ///< at end of stdin, TERM or the shutdown request: aimed by {slot, generation}
  launch,    ///< before there is a worker, by whoever starts it: aimed by {slot, generation}
};

/// One parameter of a fault: a whole number with bounds, a text, or one of a few words.
struct Param {
  std::string_view name;  ///< ends in its unit: `delay_ms`, `text_bytes`
  bool is_text = false;
  std::int64_t default_number = 0;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();
  std::string_view default_text = {};
  std::string_view meaning = {};
  std::span<const std::string_view> words = {};  ///< not empty: the text is one of these
};

/// One row of the fault table. The name is the same in JSON, C++, Python, tests and reports.
struct Fault {
  std::string_view name;
  Family family;
  Moment moment;
  std::span<const Param> params;
  bool harmless;             ///< a sound pool's calls all succeed in spite of it
  std::string_view summary;  ///< one sentence: what the worker does
  std::string_view
      source;  ///< the row of the catalogue or the public bug it comes from (K55, M-2...)
};

/// Every fault there is, in the order of the documentation.
std::span<const Fault> catalogue();

/// The row of that name, or null.
const Fault* find(std::string_view name);

/// It is aimed by {slot, generation} alone, for it knows no requests.
bool aimed_by_incarnation(const Fault& fault);

std::string_view name(Family family);
std::string_view name(Moment moment);

}  // namespace poolproof::faults

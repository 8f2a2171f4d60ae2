#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/result.hpp"
#include "harness/trace/record.hpp"

/// Does the Core of today decide as the recorded one did?
namespace poolproof::agreement {

/// One line of the comparison of a step's effects: an effect's kind, or one of its fields.
struct EffectRow {
  std::string recorded;  ///< the recorded line; empty: there is none
  std::string today;
  bool operator==(const EffectRow&) const = default;
};

/// The first event on which today's Core gives other orders than the recorded one.
struct Difference {
  std::size_t number = 0;  ///< the event's number, from 1
  std::size_t line = 0;    ///< its line in the file, from 1; 0: the trace was not read from a file
  Time at;
  std::string event;            ///< its kind and its fields
  std::vector<EffectRow> rows;  ///< all effects of that step, in order
};

struct Replay {
  std::size_t events = 0;  ///< the number of events in the trace
  std::optional<Difference> difference;
};

/// Feeds the trace's pool records, in order and at their times, to a new Core made from the
/// scenario and the seed in the header, and compares the effects field by field. Pure. Stops at the
/// first difference, because the two states differ after it.
///
/// A Tick that ordered nothing may be missing, unless an order to start was unanswered at that
/// time: the budget of that start may have run out in that Tick, and the pause of its slot counts
/// from there.
///
/// Errors (`where` is the file): the trace has no record of a pool, or the scenario in its header
/// can't be read.
Parsed<Replay> replay(const trace::Trace& trace, const std::string& where);

/// The difference as several lines for a person, side by side.
std::string words(const Replay& replay, const std::string& where);

}  // namespace poolproof::agreement

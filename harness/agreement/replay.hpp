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
  std::string recorded;  ///< empty: it has none
  std::string today;
  bool operator==(const EffectRow&) const = default;
};

/// The first event after which other orders are given than were recorded.
struct Difference {
  std::size_t number = 0;  ///< of the event, counted from 1
  std::size_t line = 0;    ///< of the file, counted from 1; 0: the trace was read from none
  Time at;
  std::string event;            ///< its kind and its fields
  std::vector<EffectRow> rows;  ///< all of that step's effects, in order
};

struct Replay {
  std::size_t events = 0;  ///< all that the trace holds
  std::optional<Difference> difference;
};

/// Feeds the trace's pool records, in order and at their times, to a fresh Core made from the
/// scenario in the header (with the header's seed), and compares the effects field by field. Pure;
/// stops at the first difference, after which the two are no longer in the same state.
///
/// A Tick that ordered nothing may be missing, unless an order to start had not been answered then:
/// that start's budget may have run out in it, and its slot's pause counts from there.
///
/// Errors (`where` is the file): no record of a pool, or a header whose scenario can't be read.
Parsed<Replay> replay(const trace::Trace& trace, const std::string& where);

/// The difference for a person, side by side; several lines.
std::string words(const Replay& replay, const std::string& where);

}  // namespace poolproof::agreement

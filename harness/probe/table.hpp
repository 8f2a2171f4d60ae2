#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"

/// What was found out about a worker, as values.
namespace poolproof::probe {

enum class Verdict : std::uint8_t {
  held,       ///< the worker does what a sound one does
  remark,     ///< the worker does otherwise, and a pool can live with it
  broken,     ///< the worker does otherwise, and no pool can use it so
  not_tried,  ///< another fault, or the worker's commands, left no way to find out
};
std::string_view name(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::not_tried;
  /// What the worker does, to be read after "it"; if it was not tried, why not.
  std::string what;
  /// Another row reports the same cause: the diagnosis leaves this finding out.
  bool told_elsewhere = false;
};

struct Row {
  std::string_view id;    ///< the row's name for programs, such as `three_calls`
  std::string_view fact;  ///< what a sound worker does
  Finding finding;
  Duration took{};
};

struct Table {
  std::vector<std::string> command;
  std::vector<Row> rows;
  std::string diagnosis;  ///< one plain sentence, without a full stop
  /// Whether a pool can use the worker: no row is broken.
  [[nodiscard]] bool usable() const;
};

/// One sentence that names each fault once, or the remarks if there is no fault.
std::string diagnose(const std::vector<Row>& rows);

/// A line for each row: its verdict, its fact, and what was seen.
std::string told(const Table& table);

}  // namespace poolproof::probe

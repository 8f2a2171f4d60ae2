#pragma once

#include <string>

#include "harness/probe/table.hpp"

namespace poolproof::reports {

/// What `poolproof probe` found, for programs: `command`, `usable`, `diagnosis`, and `rows` with
/// `row`, `fact` (what a sound worker does), `verdict` (held, remark, broken, not tried), `what`
/// (what this one does, or why it was not tried) and `took_ms`. Always valid JSON and UTF-8.
std::string probe_json(const probe::Table& table);

}  // namespace poolproof::reports

#pragma once

#include <string>

namespace poolproof::host {

/// The wall clock as ISO-8601 in UTC with milliseconds: `2026-11-23T10:00:00.123Z`. For people who
/// read requests; nothing decides by it.
std::string timestamp();

}  // namespace poolproof::host

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace poolproof::faults {

/// Draws the number of this start from a file that all starts of a run share: 0, 1, 2..., each of
/// them once, whoever draws and however many draw at a time. It tells workers apart in a pool that
/// gives them no slot and no generation. The file is made if it is missing; every draw makes it one
/// byte longer. Nothing: it can't be written.
std::optional<std::uint32_t> draw_ticket(const std::string& path);

}  // namespace poolproof::faults

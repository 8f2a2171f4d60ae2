#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

/// A key that an object has twice: a parser would silently let the second one win.
namespace poolproof {

/// The error about a key that stands twice in one object.
InputError key_twice(std::string where, std::string_view key);

/// The error about the first key that stands twice in one object of a valid JSON text. Its place is
/// `where#/pointer`.
std::optional<InputError> find_duplicate_key(std::string_view json_text, const std::string& where);

}  // namespace poolproof

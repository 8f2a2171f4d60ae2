#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "harness/base/result.hpp"

/// A key that somebody gave twice: a parser would silently let the second one win.
namespace poolproof {

/// What is said of it.
InputError key_twice(std::string where, std::string_view key);

/// The first key that is there twice in one object of a sound JSON text, at `where#/pointer`.
std::optional<InputError> find_duplicate_key(std::string_view json_text, const std::string& where);

}  // namespace poolproof

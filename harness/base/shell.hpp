#pragma once

#include <string>
#include <string_view>

namespace poolproof {

/// The text as one word of a line that can be pasted into bash, whatever is in it.
std::string shell_word(std::string_view text);

/// The same for the path of a file, which no program takes for an option.
std::string shell_path(std::string_view path);

}  // namespace poolproof

#include "harness/guard/test_runner.hpp"

#include <algorithm>

namespace poolproof::guard {
namespace {

/// Cuts the first word off, and returns it.
std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

bool starts_tests(std::string_view command) {
  std::string_view program = take_word(command);
  program.remove_prefix(program.rfind('/') + 1);  // npos + 1 is 0
  if (program != "node" && program != "nodejs") return false;
  // A word behind an option may be its value. Any other is the script: what follows is its own.
  for (bool may_be_value = false; !command.empty();) {
    const std::string_view word = take_word(command);
    if (word == "--test") return true;
    const bool is_option = word.starts_with('-');
    if (!is_option && !may_be_value) return false;
    may_be_value = is_option;
  }
  return false;
}

}  // namespace poolproof::guard

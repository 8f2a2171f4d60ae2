#include "harness/wrap/wrap.hpp"

#include "harness/cli/commands.hpp"

namespace poolproof::cli {

int wrap(std::span<const char* const> words) {
  const wrap::Voice voice{[](const std::string& text) { say(text); },
                          [](const std::string& line) { return bad_input(line); }, broken};
  return wrap::wrap(words, own_program(), voice);
}

}  // namespace poolproof::cli

// `poolproof wrap` without the rest of poolproof: what the tests of this room start.

#include <cstdio>
#include <filesystem>
#include <string_view>

#include "harness/host/guardian.hpp"
#include "harness/host/system_below.hpp"
#include "harness/wrap/wrap.hpp"

int main(int argc, char** argv) {
  using namespace poolproof;
  host::sys::take_places_of_closed_streams();
  if (argc == 5 && std::string_view(argv[1]) == "guardian")
    return host::guardian_main(argv[3], host::Reach::processes);
  const auto complain = [](int code) {
    return [code](const std::string& line) {
      std::fprintf(stderr, "poolproof: %s\n", line.c_str());
      return code;
    };
  };
  const wrap::Voice voice{[](const std::string& text) { std::fputs(text.c_str(), stdout); },
                          complain(64), complain(70)};
  return wrap::wrap({argv + 1, static_cast<std::size_t>(argc - 1)},
                    std::filesystem::read_symlink("/proc/self/exe").string(), voice);
}

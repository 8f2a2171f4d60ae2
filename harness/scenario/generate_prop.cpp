#include <array>
#include <map>
#include <string>
#include <vector>

#include "harness/base/property_testing.hpp"
#include "harness/scenario/generate.hpp"

using namespace poolproof;
using namespace poolproof::scenario;

TEST_CASE("scenario: generate: whatever is chosen, the file is sound") {
  static constexpr std::array<const char*, 8> kStreams{
      "themes", "pool", "clients", "client.1", "client.2", "client.3", "faults", "life"};
  holds("scenario: generate: any choices", Effort{300, 200}, [] {
    ChoiceBook::Sequences sequences;
    for (const char* stream : kStreams) {
      sequences[stream] =
          *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange(0U, 60U));
    }
    auto book = ChoiceBook::replayed(sequences);
    const std::string text = write_scenario(generate(book));
    const auto read = read_scenario(text, "generated.json");
    RC_ASSERT(read.has_value());
    RC_ASSERT(write_scenario(*read) == text);
  });
}

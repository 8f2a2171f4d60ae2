#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "harness/run/result.hpp"

/// Phrases that several reports share.
namespace poolproof::reports {

struct Totals {
  std::size_t scenarios = 0;
  std::array<std::size_t, run::kVerdictNames.size()> by_verdict{};
};
Totals totals(const run::RunResult& result);

/// `3 scenarios: 1 pass, 2 fail`. Verdicts that no scenario got are left out.
std::string sentence(const Totals& totals);

/// The scenario's name. The world is added if it is not the host, the repetition (from 1) after the
/// first.
std::string label(const run::ScenarioResult& scenario);

/// `reply_late x1, reply_lost x0`, or `-` when no fault was planned.
std::string struck(const run::ScenarioResult& scenario);

/// A message with its outcome, such as `checkout_timeout after 2000 ms: ...`. The outcome's name
/// occurs once: in the message, or else in front of it.
std::string told(const run::Said& word);

/// A seed as scenario files write it: `0x5eed`.
std::string seed_text(std::uint64_t seed);

/// The theme of a scenario: the folder of its file, `scenarios` if there is none.
std::string theme(const run::ScenarioResult& scenario);

/// printable_page() on one line: newlines become spaces.
std::string legal_line(std::string_view bytes);

/// Cuts a name to at most 60 bytes, between characters, so that a long name does not push the
/// columns off the screen.
std::string shortened(std::string text);

}  // namespace poolproof::reports

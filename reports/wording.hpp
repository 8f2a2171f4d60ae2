#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "harness/run/result.hpp"

/// What several reports say, said once.
namespace poolproof::reports {

struct Totals {
  std::size_t scenarios = 0;
  std::array<std::size_t, run::kVerdictNames.size()> by_verdict{};

  [[nodiscard]] std::size_t of(run::Verdict v) const {
    return by_verdict[static_cast<std::size_t>(v)];
  }
};
Totals totals(const run::RunResult& result);

/// `3 scenarios: 1 pass, 2 fail`; verdicts that nobody got are left out.
std::string sentence(const Totals& totals);

/// The name, with the world when it is not the host and the repetition (from 1) after the first.
std::string label(const run::ScenarioResult& scenario);

/// `reply_late x1, reply_lost x0`, or `-` when no fault was planned.
std::string struck(const run::ScenarioResult& scenario);

/// `checkout_timeout after 2000 ms: ...`: the outcome is named once, by the message or before it.
std::string told(const run::Said& word);

/// As scenario files write it: `0x5eed`.
std::string seed_text(std::uint64_t seed);

/// The folder that holds the scenario file, which is its theme; `scenarios` when there is none.
std::string theme(const run::ScenarioResult& scenario);

/// printable_page() on one line: newlines become spaces.
std::string legal_line(std::string_view bytes);

/// At most 60 bytes, cut between characters: a long name must not push the columns off the screen.
std::string shortened(std::string text);

}  // namespace poolproof::reports

#pragma once

#include <span>
#include <string_view>

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

namespace poolproof::guard {

struct Invariant {
  std::string_view name;     ///< `no_survivors`
  std::string_view summary;  ///< one sentence: what must hold
};

/// What a guard judges without a word from the program, in the order of the documentation.
std::span<const Invariant> invariants();

/// Everything that the facts show. Pure: the same facts give the same judgement.
Judgement judge(const Facts& facts);

}  // namespace poolproof::guard

#pragma once

#include <span>
#include <string_view>

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

namespace poolproof::guard {

struct Invariant {
  std::string_view name;     ///< such as `no_survivors`
  std::string_view summary;  ///< one sentence: what must hold
};

/// The invariants that a guard judges without any help from the program, in the documentation's
/// order.
std::span<const Invariant> invariants();

/// Judges everything that the facts show. Pure: the same facts give the same judgement.
Judgement judge(const Facts& facts);

}  // namespace poolproof::guard

#pragma once

#include <cstddef>

/// For tests that hold a table against a struct: how many members it has.
namespace poolproof::testing {

struct Anything {
  template <class Value>
  constexpr operator Value() const;  // NOLINT: it is to be taken for any member
};

/// Of an aggregate without aggregates inside.
template <class Aggregate, class... Found>
consteval std::size_t members() {
  if constexpr (requires { Aggregate{Found{}..., Anything{}}; }) {
    return members<Aggregate, Found..., Anything>();
  } else {
    return sizeof...(Found);
  }
}

}  // namespace poolproof::testing

#include "harness/trace/fields.hpp"

#include <boost/pfr.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace poolproof;
using namespace poolproof::trace;

namespace {

/// Notes which members it is handed, by their addresses.
class Addresses {
 public:
  template <class Member>
  void must(const char* /*key*/, const Member& member) {
    note(member);
  }
  template <class Member>
  void may(const char* /*key*/, const Member& member) {
    note(member);
  }
  template <class Bytes>
  void first_bytes(const char* /*key*/, const Bytes& bytes, const std::uint8_t& size) {
    note(bytes);
    note(size);
  }
  void nested(const char* /*key*/, const pool::StartEvidence& evidence) {
    evidence_fields(*this, evidence);
  }

  [[nodiscard]] bool has(const void* member, std::size_t bytes) const {
    return std::ranges::find(noted_, std::pair(member, bytes)) != noted_.end();
  }

 private:
  template <class Member>
  void note(const Member& member) {
    noted_.emplace_back(&member, sizeof(member));
  }

  std::vector<std::pair<const void*, std::size_t>> noted_;
};

template <class>
inline constexpr bool kIsArray = false;
template <class Item, std::size_t kSize>
inline constexpr bool kIsArray<std::array<Item, kSize>> = true;

/// The members of which nothing was handed over, by their places, parted by spaces: `3` is the
/// fourth member, `3.1` the second member of that.
template <class Value>
std::string forgotten(const Addresses& noted, const Value& value, const std::string& at = "") {
  std::string all;
  boost::pfr::for_each_field(value, [&](const auto& member, std::size_t place) {
    using Member = std::remove_cvref_t<decltype(member)>;
    if (noted.has(&member, sizeof(member))) return;
    const std::string here = at + std::to_string(place);
    if constexpr (std::is_aggregate_v<Member> && !kIsArray<Member>) {
      all += forgotten(noted, member, here + ".");
    } else {
      all += here + " ";
    }
  });
  return all;
}

template <class Variant, std::size_t... kAlternatives>
void check_all(const char* what, std::index_sequence<kAlternatives...> /*alternatives*/) {
  const auto check = [&](const auto& value) {
    Addresses noted;
    PoolFields<Addresses>{noted}(value);
    const std::string left_out = forgotten(noted, value);
    INFO(what << " " << name(Variant(value)) << ": fields.hpp leaves out member " << left_out);
    CHECK(left_out.empty());
  };
  (check(std::variant_alternative_t<kAlternatives, Variant>{}), ...);
}

struct Pair {
  WorkerId one;
  Time two;
};

}  // namespace

TEST_CASE("trace: fields: a trace holds every member of every event and effect") {
  check_all<pool::Event>("event", std::make_index_sequence<std::variant_size_v<pool::Event>>());
  check_all<pool::Effect>("effect", std::make_index_sequence<std::variant_size_v<pool::Effect>>());
}

TEST_CASE("trace: fields: a member that is left out is found by its place") {
  const Pair pair{};
  Addresses noted;
  CHECK(forgotten(noted, pair) == "0.0 0.1 1 ");
  noted.must("generation", pair.one.generation);
  CHECK(forgotten(noted, pair) == "0.0 1 ");
  noted.may("one", pair.one);
  CHECK(forgotten(noted, pair) == "1 ");
  noted.must("two", pair.two);
  CHECK(forgotten(noted, pair).empty());
}

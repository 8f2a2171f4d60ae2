#include "harness/oracle/numbering.hpp"

#include <set>
#include <string>

#include <catch2/catch.hpp>

/// The tables of a judgement, and where they are kept.
namespace poolproof::oracle {
namespace {

TEST_CASE("oracle: numbering: texts that differ in one letter only are told apart") {
  std::vector<std::string> texts{""};
  for (std::size_t size = 1; size < 40; ++size) {
    const std::string text(size, 'a');
    texts.push_back(text);
    for (std::size_t at = 0; at < size; ++at) {
      texts.push_back(text);
      texts.back()[at] = 'b';
    }
  }
  Numbering<std::string_view> numbers;
  for (std::uint32_t i = 0; i < texts.size(); ++i) CHECK(numbers.number(texts[i]) == i);
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    const std::string copy = texts[i];
    CHECK(numbers.find(copy) == i);
    CHECK(same(std::string_view(copy), std::string_view(texts[i])));
  }
  CHECK(numbers.find("abba") == kNone);
}

TEST_CASE("oracle: numbering: the names of a counted client are spread over a table") {
  constexpr std::uint64_t kPlaces = 2048;
  for (const std::string head : {"a.", "ab.", "a.1", "client.", "a-longer-client."}) {
    std::set<std::uint64_t> places;
    for (int i = 1000; i < 1000 + 1024; ++i) {
      places.insert(hash_of(std::string_view(head + std::to_string(i))) % kPlaces);
    }
    INFO(head);
    CHECK(places.size() > 700);  // by chance: 806
  }
}

/// Numbers come in the order of first appearance, whatever the ids, and stay.
void check_numbers(const std::vector<std::uint64_t>& ids) {
  Numbering<LeaseId> numbers;
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    CHECK(numbers.find(LeaseId{ids[i]}) == kNone);
    CHECK(numbers.number(LeaseId{ids[i]}) == i);
    for (std::uint32_t before = 0; before <= i; ++before) {
      CHECK(numbers.find(LeaseId{ids[before]}) == before);
      CHECK(numbers.number(LeaseId{ids[before]}) == before);
    }
    CHECK(numbers.size() == i + 1);
  }
}

TEST_CASE("oracle: numbering: ids are numbered in the order in which they come") {
  const std::vector<std::uint64_t> serial{1, 2, 3, 4};
  const std::vector<std::uint64_t> mixed{7, 8, 6, 9, 100, 8000000000, 0, 10, 63, 64, 101};
  for (const auto& ids : {serial, mixed}) check_numbers(ids);
}

TEST_CASE("oracle: numbering: things are grouped in their order, and some left out") {
  Grouped groups(std::pmr::get_default_resource());
  CHECK(groups.empty());
  groups.group(std::vector<std::uint32_t>{2, 0, kNone, 2, 3, 2}, 5);
  const auto of = [&groups](std::uint32_t group) {
    return std::vector<std::uint32_t>(groups[group].begin(), groups[group].end());
  };
  using Places = std::vector<std::uint32_t>;
  CHECK(of(0) == Places{1});
  CHECK(of(1).empty());
  CHECK(of(2) == Places{0, 3, 5});
  CHECK(of(3) == Places{4});
  CHECK(of(4).empty());
}

}  // namespace
}  // namespace poolproof::oracle

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "harness/guard/origin.hpp"
#include "harness/guard/rules.hpp"

/// Does a process keep descriptors that can't be of any use?
namespace poolproof::guard {
namespace {

/// No program has this many of one kind without meaning to. What is just being closed does not
/// count.
constexpr std::uint32_t kStaleMost = 10;
constexpr std::uint32_t kSameMost = 64;
constexpr std::uint32_t kGrowthMost = 32;
constexpr Duration kLeastKept = std::chrono::milliseconds(500);
constexpr Duration kLeastGrowth = std::chrono::seconds(2);
constexpr std::size_t kParts = 4;

using DescriptorLooks = std::vector<DescriptorLook>;

/// The least `count` in all looks of the last kLeastKept; nothing: the process was seen for less
/// long.
template <class Count>
std::optional<std::uint32_t> kept(const DescriptorLooks& looks, Count count) {
  const Duration since = looks.back().at - kLeastKept;
  if (looks.front().at > since) return std::nullopt;
  std::uint32_t least = looks.back().*count;
  for (auto look = looks.rbegin(); look != looks.rend(); ++look) {
    least = std::min(least, (*look).*count);
    if (look->at <= since) break;
  }
  return least;
}

/// How many more descriptors are open at the end that no living process accounts for, if the number
/// rose in each quarter of the time.
std::uint32_t growth(const DescriptorLooks& looks) {
  const Duration span = looks.back().at - looks.front().at;
  if (span < kLeastGrowth || looks.size() < 2 * kParts) return 0;
  std::array<std::uint32_t, kParts> least{};
  least.fill(UINT32_MAX);
  for (const DescriptorLook& look : looks) {
    const auto part = static_cast<std::size_t>((look.at - looks.front().at) * kParts / span);
    std::uint32_t& of_part = least.at(std::min(part, kParts - 1));
    of_part = std::min(of_part, look.unexplained);
  }
  const bool rises = std::ranges::adjacent_find(least, std::greater_equal<>()) == least.end();
  return rises && least.back() != UINT32_MAX ? least.back() - least.front() : 0;
}

std::string complaint(const DescriptorLooks& looks) {
  const auto stale = kept(looks, &DescriptorLook::stale);
  if (stale && *stale >= kStaleMost) {
    return fmt::format("keeps {} ends of pipes whose other ends are gone", *stale);
  }
  const auto same = kept(looks, &DescriptorLook::same);
  if (same && *same >= kSameMost) {
    return fmt::format("keeps {} descriptors of {}", *same, looks.back().same_target);
  }
  const std::uint32_t more = growth(looks);
  if (more >= kGrowthMost) {
    return fmt::format(
        "had {} descriptors more at its end, and ever more in between, besides what it shares "
        "with living processes",
        more);
  }
  return "";
}

}  // namespace

void judge_descriptors(const Facts& facts, Judgement& judgement) {
  for (const Descriptors& one : facts.descriptors) {
    const std::string what = one.looks.empty() ? "" : complaint(one.looks);
    if (what.empty()) continue;
    judgement.findings.push_back({"descriptors_back",
                                  doer_of(facts, one.address),
                                  told(one.address) + ", " + what,
                                  one.looks.back().at,
                                  {one.address}});
  }
}

}  // namespace poolproof::guard

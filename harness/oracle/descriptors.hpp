#pragma once

#include <cstdint>
#include <string_view>

namespace poolproof::oracle {

/// How many descriptors a pool at rest may hold: so many itself, and so many for each of its
/// workers.
struct DescriptorNeed {
  std::uint32_t pool = 0;
  std::uint32_t worker = 0;
};

/// On real processes: the reactor's epoll and what wakes it; a pidfd and our ends of stdin,
/// stdout and stderr.
inline constexpr DescriptorNeed kHostNeed{2, 4};
/// The simulator counts nothing but our ends of the pipes.
inline constexpr DescriptorNeed kSimNeed{0, 3};

constexpr DescriptorNeed descriptor_need(std::string_view world) {
  return world == "sim" ? kSimNeed : kHostNeed;
}

}  // namespace poolproof::oracle

#include "harness/search/build_fingerprint.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

#include "harness/run/version.hpp"

namespace poolproof::search {

std::string build_fingerprint() {
  constexpr const char* kProgram = "/proc/self/exe";
  static const std::string fingerprint = build_fingerprint_of(kProgram);
  if (fingerprint.empty()) {
    throw std::runtime_error(fmt::format("can't read {}, which tells builds apart", kProgram));
  }
  return fingerprint;
}

std::string build_fingerprint_of(const std::string& file) {
  // FNV-1a, eight bytes at a time: a program has some ten million of them.
  std::uint64_t hash = 0xcbf29ce484222325U;
  std::uint64_t bytes = 0;
  std::ifstream program(file, std::ios::binary);
  std::array<char, 65'536> part{};
  while (program) {
    part.fill('\0');
    program.read(part.data(), part.size());
    bytes += static_cast<std::uint64_t>(program.gcount());
    for (std::size_t at = 0; at < static_cast<std::size_t>(program.gcount()); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, part.data() + at, sizeof word);
      hash = (hash ^ word) * 0x100000001b3U;
      hash ^= hash >> 32U;  // else the highest bits of a word would touch no others
    }
  }
  if (bytes == 0) return "";
  return fmt::format("{}-{:016x}", run::kVersion, (hash ^ bytes) * 0x100000001b3U);
}

}  // namespace poolproof::search

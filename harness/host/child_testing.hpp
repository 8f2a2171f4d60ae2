#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "harness/host/census.hpp"
#include "harness/host/child.hpp"
#include "harness/host/system.hpp"

namespace poolproof::host {

inline std::ostream& operator<<(std::ostream& out, const Census& census) {
  return out << census.children << " children, " << census.zombies << " zombies, "
             << census.descriptors << " descriptors, " << census.threads << " threads";
}

}  // namespace poolproof::host

/// What the tests of this room share. Every wait is for an event, with a limit that only a hang
/// reaches.
namespace poolproof::host::testing {

inline constexpr Duration kHang = std::chrono::seconds(60);

/// Waits until at least so many processes carry the token and a command that begins with `word`.
/// While one is in the middle of its exec it has no environment to be read, so a single look may
/// miss it.
inline bool marked_reach(const std::string& token, std::ptrdiff_t count,
                         std::string_view word = "") {
  const Time give_up = after(sys::now(), kHang);
  while (sys::now() < give_up) {
    const auto marked = processes_marked(token);
    const auto named = [&](const Marked& one) { return one.command.starts_with(word); };
    if (std::count_if(marked.begin(), marked.end(), named) >= count) return true;
  }
  return false;
}

inline Command shell(std::string script, std::vector<std::string> env = {}) {
  return {{"/bin/sh", "-c", std::move(script)}, std::move(env), {}};
}

inline bool wait_readable(const Descriptor& fd) {
  pollfd wanted{fd.get(), POLLIN, 0};
  return sys::poll({&wanted, 1}, kHang).value_or(0) == 1;
}

/// Everything until end of file, or until `enough` bytes have come.
inline std::string read_text(const Descriptor& fd, std::size_t enough = std::string::npos) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < enough && wait_readable(fd)) {
    const auto bytes = sys::read(fd.get(), buffer);
    if (!bytes || *bytes == 0) break;
    text.append(buffer.data(), *bytes);
  }
  return text;
}

/// Waits for its end and reaps it. A code of -1 means that it hangs or can't be reaped.
inline ExitStatus finish(const Child& child) {
  if (!wait_readable(child.pidfd)) return {-1, 0};
  return sys::reap(child.pidfd.get()).value_or(ExitStatus{-1, 0});
}

/// Before a test starts threads: a sanitizer starts one of its own with the first of ours.
inline Census census_before_threads() {
  std::thread([] {}).join();
  return take_census();
}

/// No planned failure outlives its test.
struct FailuresEnd {
  ~FailuresEnd() { sys::fail_none(); }
};

}  // namespace poolproof::host::testing

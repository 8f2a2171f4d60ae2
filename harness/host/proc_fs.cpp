#include "harness/host/proc_fs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <dirent.h>
#include <memory>
#include <sstream>
#include <unistd.h>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/base/result.hpp"
#include "harness/base/text.hpp"

namespace poolproof::host::proc_fs {
namespace {

struct Closer {
  void operator()(FILE* file) const { std::fclose(file); }
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::string path_of(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + '/' + file;
}

/// Reads a file of /proc. Error: why it can't be opened or read; a process may end in the middle.
Expected<std::string, int> read_whole(const std::string& path) {
  const std::unique_ptr<FILE, Closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return unexpected(errno);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t bytes = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    text.append(buffer.data(), bytes);
  }
  if (std::ferror(file.get()) != 0) return unexpected(errno);
  return text;
}

/// The names in a folder, without "." and ".."; none if it can't be opened.
std::vector<std::string> names_if_there(const std::string& path) {
  const std::unique_ptr<DIR, Closer> folder(::opendir(path.c_str()));
  std::vector<std::string> names;
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

/// The names in a folder that must be there.
std::vector<std::string> names_in(const char* path) {
  std::vector<std::string> names = names_if_there(path);
  POOLPROOF_ASSERT(!names.empty());
  return names;
}

bool carries(std::string_view environment, std::string_view token) {
  constexpr std::string_view kName = "POOLPROOF_TOKEN=";
  while (!environment.empty()) {
    std::string_view entry = environment.substr(0, environment.find('\0'));
    environment.remove_prefix(std::min(environment.size(), entry.size() + 1));
    if (!entry.starts_with(kName)) continue;
    entry.remove_prefix(kName.size());
    if (!entry.starts_with(token)) continue;
    entry.remove_prefix(token.size());
    if (entry.empty() || entry.front() == '/') return true;
  }
  return false;
}

/// Reads `PID (name) STATE PPID PGRP SESSION ...`: the name may hold anything, so it ends at the
/// last parenthesis.
std::optional<Stat> stat_of(const std::string& path) {
  constexpr int kFieldsBetweenSessionAndFlags = 2;
  constexpr int kFieldsBetweenFlagsAndThreads = 10;
  const std::string text = read_whole(path).value_or("");
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  Stat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  std::istringstream rest(text.substr(close + 1));
  std::string skipped;
  rest >> stat.state >> stat.parent >> stat.group >> stat.session;
  for (int i = 0; i < kFieldsBetweenSessionAndFlags; ++i) rest >> skipped;
  rest >> stat.flags;
  for (int i = 0; i < kFieldsBetweenFlagsAndThreads; ++i) rest >> skipped;
  rest >> stat.threads >> skipped >> stat.started;
  return rest ? std::optional(stat) : std::nullopt;
}

struct Thread {
  std::string folder;  ///< with a slash at the end
  Stat stat;
};

/// A living thread of a process whose main thread has ended. Nothing: that one lives, or all have
/// ended.
std::optional<Thread> living_thread(pid_t pid, const Stat& main) {
  if (!main.dead() || main.threads < 2) return std::nullopt;
  const std::string threads = path_of(pid, "task/");
  for (const std::string& name : names_if_there(threads)) {
    const std::string folder = threads + name + '/';
    auto stat = stat_of(folder + "stat");
    if (stat && !stat->dead()) return Thread{folder, *std::move(stat)};
  }
  return std::nullopt;
}

/// Reads a file about a process. What its main thread does not show any more, another thread may.
Expected<std::string, int> read_living(pid_t pid, const char* file) {
  auto text = read_whole(path_of(pid, file));
  // If the main thread has no memory any more, the file can't be opened, is empty, or holds zeros.
  if (text && text->find_first_not_of("0 \n") != std::string::npos) return text;
  const std::string folder = living_folder(pid);
  return folder == path_of(pid, "") ? text : read_whole(folder + file);
}

}  // namespace

std::optional<Stat> read_stat(pid_t pid) {
  auto stat = stat_of(path_of(pid, "stat"));
  if (!stat) return std::nullopt;
  if (const auto thread = living_thread(pid, *stat)) {
    stat->state = thread->stat.state;
    stat->flags = thread->stat.flags;
  }
  return stat;
}

std::string living_folder(pid_t pid) {
  const auto main = stat_of(path_of(pid, "stat"));
  if (!main) return path_of(pid, "");
  const auto thread = living_thread(pid, *main);
  return thread ? thread->folder : path_of(pid, "");
}

/// Reads `SIZE RESIDENT ...`, in pages.
std::uint64_t resident_bytes(pid_t pid) {
  std::istringstream pages(read_living(pid, "statm").value_or(""));
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(pages >> size >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t cpu_demand(pid_t pid) {
  std::uint64_t sum = 0;
  const std::string threads = path_of(pid, "task");
  for (const std::string& thread : names_if_there(threads)) {
    std::istringstream times(
        read_whole(fmt::format("{}/{}/schedstat", threads, thread)).value_or(""));
    std::uint64_t running = 0;
    std::uint64_t waiting = 0;
    if (times >> running >> waiting) sum += running + waiting;
  }
  return sum;
}

int percent_of(std::uint64_t demand, Duration span) {
  const auto nanoseconds = std::chrono::nanoseconds(span).count();
  if (nanoseconds <= 0) return 0;
  return static_cast<int>(100 * demand / static_cast<std::uint64_t>(nanoseconds));
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  for (const std::string& name : names_in("/proc")) {
    pid_t pid = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data(), end, pid);
    if (parsed.ec == std::errc() && parsed.ptr == end) pids.push_back(pid);
  }
  std::sort(pids.begin(), pids.end());
  return pids;
}

std::set<pid_t> own_line() {
  std::set<pid_t> line;
  for (pid_t pid = ::getpid(); pid > 0 && line.insert(pid).second;) {
    const std::optional<Stat> stat = read_stat(pid);
    pid = stat ? stat->parent : 0;
  }
  return line;
}

std::uint32_t own_threads() {
  const std::string folder = "/proc/self/task";
  std::uint32_t count = 0;
  for (const std::string& name : names_in(folder.c_str())) {
    const std::optional<Stat> stat = stat_of(fmt::format("{}/{}/stat", folder, name));
    if (stat && !stat->exiting()) ++count;
  }
  return count;
}

std::uint32_t count_entries(const char* folder) {
  return static_cast<std::uint32_t>(names_in(folder).size());
}

std::string command_of(pid_t pid, const Stat& stat) {
  std::string line = read_living(pid, "cmdline").value_or("");
  if (line.empty()) return '(' + printable(stat.name) + ')';
  if (line.back() == '\0') line.pop_back();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return printable(line);
}

TokenMark mark_of(pid_t pid, std::string_view token) {
  POOLPROOF_ASSERT(!token.empty());
  const auto environment = read_living(pid, "environ");
  if (environment && !environment->empty()) {
    return carries(*environment, token) ? TokenMark::carried : TokenMark::none;
  }
  // Newer kernels refuse to open it where there is no memory to see, older ones show nothing.
  const bool may_be_ours =
      environment || environment.error() == ENOENT || environment.error() == ESRCH;
  if (!may_be_ours) return TokenMark::none;
  const std::optional<Stat> stat = read_stat(pid);
  if (!stat) return TokenMark::gone;
  return stat->of_kernel() ? TokenMark::none : TokenMark::blank;
}

}  // namespace poolproof::host::proc_fs

#include "harness/host/child.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <unistd.h>

#include "harness/base/text.hpp"

namespace poolproof::host {
namespace {

bool is_program(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string quoted(std::string_view text) {
  return '"' + printable(text) + '"';
}

}  // namespace

LaunchError cannot_start(std::string_view program, int errno_value, std::string_view directory) {
  std::string message = "cannot start " + quoted(program);
  if (!directory.empty()) message += " in " + quoted(directory);
  message += ": " + std::generic_category().message(errno_value);
  // The system gives the same error for a script that is there, if its first line names no program.
  if (errno_value == ENOENT && directory.empty() && is_there(program)) message += " (interpreter)";
  return {errno_value, std::move(message)};
}

Expected<std::string, LaunchError> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* own_path = std::getenv("PATH");
  std::string_view rest = own_path != nullptr ? own_path : "/usr/bin:/bin";
  int reason = ENOENT;
  while (!rest.empty() && !name.empty()) {
    const std::string_view directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    // A relative folder depends on where the pool was started.
    if (!directory.starts_with('/')) continue;
    const std::filesystem::path path = std::filesystem::path(directory) / name;
    if (is_program(path)) return path.string();
    if (is_there(path)) reason = EACCES;
  }
  return unexpected(cannot_start(name, reason));
}

}  // namespace poolproof::host

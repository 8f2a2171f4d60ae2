#include "harness/guard/open_files.hpp"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <unistd.h>

#include <sys/stat.h>

#include "harness/host/proc_fs.hpp"

namespace poolproof::guard {
namespace {

/// No more files of a process are looked at: that would cost more than it tells.
constexpr std::size_t kFilesMost = 4096;
constexpr const char* kOwnPipes = "pipes of its own";

std::string folder_of(pid_t pid) {
  return host::proc_fs::living_folder(pid) + "fd/";
}

std::string link_text(const std::string& path) {
  std::array<char, 512> text{};
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : "";
}

bool is_pipe(std::string_view target) {
  return target.starts_with("pipe:");
}
bool is_socket(std::string_view target) {
  return target.starts_with("socket:");
}

bool has_node_channel(pid_t pid) {
  std::ifstream file(host::proc_fs::living_folder(pid) + "environ", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return text.find("NODE_CHANNEL_FD=") != std::string::npos;
}

/// Which processes hold a pipe, and by which ends.
struct Holders {
  pid_t only = 0;  ///< the one process that holds it; -1: several do
  bool reads = false;
  bool writes = false;
};

std::map<std::string, Holders> holders_of_pipes(
    const std::map<pid_t, std::vector<OpenFile>>& files) {
  std::map<std::string, Holders> pipes;
  for (const auto& [pid, list] : files) {
    for (const OpenFile& file : list) {
      if (!is_pipe(file.target)) continue;
      Holders& holders = pipes[file.target];
      holders.only = holders.only == 0 || holders.only == pid ? pid : -1;
      holders.reads = holders.reads || file.reads;
      holders.writes = holders.writes || file.writes;
    }
  }
  return pipes;
}

}  // namespace

std::vector<OpenFile> open_files(pid_t pid) {
  struct Closer {
    void operator()(DIR* folder) const { ::closedir(folder); }
  };
  const std::string path = folder_of(pid);
  const std::unique_ptr<DIR, Closer> folder(::opendir(path.c_str()));
  std::vector<OpenFile> files;
  if (!folder) return files;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string name = path + entry->d_name;
    struct stat link {};
    if (files.size() >= kFilesMost || ::lstat(name.c_str(), &link) != 0) continue;
    files.push_back(
        {link_text(name), (link.st_mode & S_IRUSR) != 0, (link.st_mode & S_IWUSR) != 0});
  }
  return files;
}

std::string target_of(pid_t pid, int descriptor) {
  return link_text(folder_of(pid) + std::to_string(descriptor));
}

bool looks_like_worker(pid_t pid, pid_t parent) {
  const std::string input = target_of(pid, STDIN_FILENO);
  const bool is_own = input != target_of(parent, STDIN_FILENO);
  if (is_own && is_socket(input)) return true;
  if (is_own && is_pipe(input)) {
    // Its parent may have closed the worker's stdin already, so its stdout is looked at, too.
    const std::string output = target_of(pid, STDOUT_FILENO);
    const auto files = open_files(parent);
    return std::ranges::any_of(files, [&](const OpenFile& file) {
      return file.target == input || (is_pipe(output) && file.reads && file.target == output);
    });
  }
  return is_socket(target_of(pid, STDERR_FILENO + 1)) && has_node_channel(pid);
}

std::map<pid_t, DescriptorLook> look_at(const std::map<pid_t, std::vector<OpenFile>>& files,
                                        std::span<const std::string> outside) {
  const auto pipes = holders_of_pipes(files);
  std::map<pid_t, DescriptorLook> looks;
  for (const auto& [pid, list] : files) {
    DescriptorLook& look = looks[pid];
    look.open = static_cast<std::uint32_t>(list.size());
    std::map<std::string, std::uint32_t> same;
    for (const OpenFile& file : list) {
      if (is_socket(file.target)) continue;
      if (!is_pipe(file.target)) {
        ++same[file.target];
        continue;
      }
      if (std::ranges::count(outside, file.target) > 0) continue;
      const Holders& holders = pipes.at(file.target);
      if (holders.only != pid) continue;
      ++(holders.reads && holders.writes ? same[kOwnPipes] : look.stale);
    }
    const auto most =
        std::ranges::max_element(same, {}, [](const auto& one) { return one.second; });
    if (most == same.end()) continue;
    look.same = most->second;
    look.same_target = most->first;
  }
  return looks;
}

}  // namespace poolproof::guard

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
constexpr const char* kPidfdsOfDead = "processes that have ended and were reaped";

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

/// A descriptor that stands for a process. Newer systems number them.
bool is_pidfd(std::string_view target) {
  return target.starts_with("anon_inode:[pidfd]") || target.starts_with("pidfd:");
}

/// Whether a target names a kind of thing, of which each descriptor may have one of its own.
bool is_kind(std::string_view target) {
  return target.starts_with("anon_inode:") || target.starts_with("/memfd:") ||
         target.ends_with("/ptmx");
}

bool is_of_living(const std::string& process_folder, const std::string& number) {
  std::ifstream file(process_folder + "fdinfo/" + number);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Pid:")) return line.find('-') == std::string::npos;
  }
  return false;
}

/// Which process holds an end of a pipe; 0: none does, -1: several do.
struct Holders {
  pid_t reads = 0;
  pid_t writes = 0;

  /// Whether `pid` alone holds the pipe.
  [[nodiscard]] bool is_only(pid_t pid) const {
    return (reads == 0 || reads == pid) && (writes == 0 || writes == pid);
  }
};

std::map<std::string, Holders> holders_of_pipes(
    const std::map<pid_t, std::vector<OpenFile>>& files) {
  std::map<std::string, Holders> pipes;
  const auto note = [](pid_t& holder, pid_t pid) {
    holder = holder == 0 || holder == pid ? pid : -1;
  };
  for (const auto& [pid, list] : files) {
    for (const OpenFile& file : list) {
      if (!is_pipe(file.target)) continue;
      Holders& holders = pipes[file.target];
      if (file.reads) note(holders.reads, pid);
      if (file.writes) note(holders.writes, pid);
    }
  }
  return pipes;
}

/// For each process, how many sockets its children hold. Nobody can tell which socket is the other
/// end of which.
std::map<pid_t, std::uint32_t> sockets_of_children(
    const std::map<pid_t, std::vector<OpenFile>>& files, const std::map<pid_t, pid_t>& parents) {
  std::map<pid_t, std::uint32_t> counts;
  for (const auto& [pid, list] : files) {
    const auto parent = parents.find(pid);
    if (parent == parents.end()) continue;
    const auto sockets =
        std::ranges::count_if(list, [](const OpenFile& file) { return is_socket(file.target); });
    counts[parent->second] += static_cast<std::uint32_t>(sockets);
  }
  return counts;
}

/// Whether another process holds the other end of this end of a pipe.
bool is_connected(const OpenFile& file, const Holders& holders, pid_t pid) {
  const auto is_other = [pid](pid_t holder) { return holder != 0 && holder != pid; };
  return (file.reads && is_other(holders.writes)) || (file.writes && is_other(holders.reads));
}

/// Looks at one process: what it holds of pipes, sockets, processes and files.
DescriptorLook look_at_one(pid_t pid, const std::vector<OpenFile>& list,
                           const std::map<std::string, Holders>& pipes, std::uint32_t sockets_below,
                           std::span<const std::string> outside) {
  DescriptorLook look;
  std::map<std::string, std::uint32_t> same;
  for (const OpenFile& file : list) {
    if (is_socket(file.target)) {
      look.unexplained += sockets_below > 0 ? 0 : 1;
      sockets_below -= sockets_below > 0 ? 1 : 0;
      continue;
    }
    if (is_pidfd(file.target)) {
      if (file.is_of_living) continue;
      ++look.unexplained;
      ++same[kPidfdsOfDead];
      continue;
    }
    if (!is_pipe(file.target)) {
      ++look.unexplained;
      if (!is_kind(file.target)) ++same[file.target];
      continue;
    }
    const Holders& holders = pipes.at(file.target);
    if (is_connected(file, holders, pid)) continue;
    ++look.unexplained;
    if (std::ranges::count(outside, file.target) > 0 || !holders.is_only(pid)) continue;
    ++(holders.reads != 0 && holders.writes != 0 ? same[kOwnPipes] : look.stale);
  }
  const auto most = std::ranges::max_element(same, {}, [](const auto& one) { return one.second; });
  if (most == same.end()) return look;
  look.same = most->second;
  look.same_target = most->first;
  return look;
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
    OpenFile& file = files.emplace_back(
        OpenFile{link_text(name), (link.st_mode & S_IRUSR) != 0, (link.st_mode & S_IWUSR) != 0});
    if (is_pidfd(file.target))
      file.is_of_living = is_of_living(host::proc_fs::living_folder(pid), entry->d_name);
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
                                        const std::map<pid_t, pid_t>& parents,
                                        std::span<const std::string> outside) {
  const auto pipes = holders_of_pipes(files);
  auto sockets = sockets_of_children(files, parents);
  std::map<pid_t, DescriptorLook> looks;
  for (const auto& [pid, list] : files) {
    looks.emplace(pid, look_at_one(pid, list, pipes, sockets[pid], outside));
  }
  return looks;
}

}  // namespace poolproof::guard

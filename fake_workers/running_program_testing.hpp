#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "harness/base/outcome.hpp"

namespace poolproof::faults {

/// A program with pipes on 0, 1 and 2, for tests. Nothing is inherited but what `env` says.
/// Whatever waits does so for at most 30 s and then throws; the destructor kills and reaps.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& argv,
                          const std::vector<std::string>& env = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  void send(std::string_view bytes);  ///< to its stdin; must fit into the pipe
  void close_stdin();
  void close_stdout();
  void terminate() const;                      ///< TERM
  std::string read_stdout(std::size_t bytes);  ///< exactly as many, or up to the end
  std::string read_stdout();                   ///< up to the end
  std::string read_stderr();
  ExitStatus wait();
  [[nodiscard]] int unread_bytes() const;  ///< in its stdin
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  int in_read_end_ = -1;
};

/// A file of its own that is gone afterwards.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content = "");
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string content() const;
  /// Returns once the content has that text so many times.
  void wait_for(std::string_view text, std::size_t times = 1) const;

 private:
  std::string path_;
};

}  // namespace poolproof::faults

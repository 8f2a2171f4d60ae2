#include "harness/search/crash_signature.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/base/text.hpp"

namespace poolproof::search {
namespace {

constexpr std::size_t kSignatureBytesMax = 200;
constexpr auto kNowhere = std::string_view::npos;

/// The part of `text` before `end`; `text` continues behind it. All of `text` if `end` is not in
/// it.
std::string_view take_until(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text = at == kNowhere ? std::string_view() : text.substr(at + end.size());
  return taken;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_of_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Replaces every number by `#`: values and addresses differ from run to run.
std::string without_numbers(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const bool begins_name = is_of_name(text[i]) && (i == 0 || !is_of_name(text[i - 1]));
    if (!begins_name) {
      plain += text[i++];
      continue;
    }
    const std::size_t begin = i;
    while (i < text.size() && is_of_name(text[i])) ++i;
    plain += is_digit(text[begin]) ? std::string_view("#") : text.substr(begin, i - begin);
  }
  return plain;
}

/// Shortens `/there/core.cpp:12:5` to `core.cpp:12`.
std::string place_of(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);  // without a slash: npos + 1 is 0
  const std::string_view file = take_until(path, ":");
  const std::string_view line = take_until(path, ":");
  return line.empty() ? std::string(file) : fmt::format("{}:{}", file, line);
}

/// Whether that file belongs to this program, and not to a library or the sanitizer itself.
bool is_ours(std::string_view path) {
  return path.find("/harness/") != kNowhere || path.find("/fake_workers/") != kNowhere;
}

/// Reads a sanitizer's report line by line.
class Report {
 public:
  void hear(std::string_view line) {
    if (line.find("ERROR: ") != kNowhere || line.find("WARNING: ThreadSanitizer") != kNowhere) {
      frame_.clear();
    }
    hear_frame(line);
    hear_runtime_error(line);
    constexpr std::string_view kSummary = "SUMMARY: ";
    // For undefined behaviour an earlier line has said more.
    if (!line.starts_with(kSummary) || line.find("UndefinedBehavior") != kNowhere) return;
    hear_summary(line.substr(kSummary.size()));
  }

  /// The error and its place. Empty: no error was found.
  [[nodiscard]] const std::string& found() const { return found_; }

 private:
  /// Reads `/there/file.cpp:12:5: runtime error: what`.
  void hear_runtime_error(std::string_view line) {
    constexpr std::string_view kMark = ": runtime error: ";
    const std::size_t at = line.find(kMark);
    if (at == kNowhere) return;
    found_ =
        fmt::format("undefined behaviour: {} {}", without_numbers(line.substr(at + kMark.size())),
                    place_of(line.substr(0, at)));
  }

  /// Reads `AddressSanitizer: heap-use-after-free /there/file.cpp:12:5 in function`.
  void hear_summary(std::string_view summary) {
    std::string_view function = summary;
    std::string_view head = take_until(function, " in ");
    const std::string_view tool = take_until(head, ": ");
    std::string text;
    std::string_view path;
    while (!head.empty()) {
      const std::string_view word = take_until(head, " ");
      const bool of_program = word.starts_with("(/") || word.starts_with("(BuildId");
      if (of_program) break;  // an offset follows: the function's name is all there is
      if (word.find('/') != kNowhere) path = word;
      text += ' ';
      text += path.empty() ? without_numbers(word) : place_of(path);
    }
    found_ = fmt::format("{}:{}", tool, text);
    const bool count =
        !function.empty() && is_digit(function.front());  // the number of leaked pieces
    if (count) found_ += " in " + without_numbers(function);
    if (!count && !function.empty()) found_ += fmt::format(" in {}", function);
    if (!is_ours(path) && !frame_.empty()) found_ += fmt::format(", from {}", frame_);
  }

  /// Reads `#1 0x55d6 in function /there/file.cpp:12`. The first frame of our own code is kept.
  void hear_frame(std::string_view line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (!line.starts_with('#') || !frame_.empty()) return;
    // Some sanitizers append the program, `(program+0x12a0)`, and some its build.
    for (const std::string_view program : {" (BuildId: ", " ("}) {
      const std::size_t at = line.rfind(program);
      const bool last = at != kNowhere && line.ends_with(')') &&
                        (program.size() > 2 || line.find("+0x", at) != kNowhere);
      if (last) line = line.substr(0, at);
    }
    const std::size_t word = line.rfind(' ');
    if (word != kNowhere && is_ours(line.substr(word))) frame_ = place_of(line.substr(word));
  }

  std::string frame_;
  std::string found_;
};

}  // namespace

std::string crash_signature(ExitStatus exit, std::string_view last_words) {
  constexpr std::string_view kPromise = "broken promise: ";
  const std::size_t promise = last_words.find(kPromise);
  if (promise != kNowhere) {
    std::string_view sentence = last_words.substr(promise);
    return std::string(take_until(sentence, "\n"));
  }
  Report report;
  while (!last_words.empty()) report.hear(take_until(last_words, "\n"));
  if (!report.found().empty()) return "crash: " + printable(report.found(), kSignatureBytesMax);
  return exit.signal != 0 ? fmt::format("crash: signal {}", exit.signal)
                          : fmt::format("crash: exit code {}", exit.code);
}

}  // namespace poolproof::search

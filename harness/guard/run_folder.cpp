#include "harness/guard/run_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/read_file.hpp"
#include "harness/base/write_file.hpp"
#include "harness/host/system.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::guard {
namespace {

namespace fs = std::filesystem;

/// The folder within the run's folder that holds the files of one run: only that is ever removed.
constexpr const char* kOfRun = "guard-run";
/// Reports of an older run are removed: they must not pass for those of this run.
constexpr const char* kReports[]{"guard.json", "report.json", "junit.xml", "summary.md"};

/// A key of a journal's line that only guard looks at: the journal's own reader passes over it.
/// Null: it is not there.
nlohmann::json extra_in(std::string_view line, const std::string& key) {
  if (line.find('"' + key + "\":") == std::string_view::npos) return nullptr;
  const auto object = wire::parse_json(line);
  const auto found = object->find(key);
  return found != object->end() ? *found : nlohmann::json();
}

JournalLine line_with_extras(faults::StampedJournalRecord record, std::string_view said) {
  const auto digest = extra_in(said, "digest");
  const auto signal = extra_in(said, "signal");
  return {std::move(record), digest.is_string() ? digest.get<std::string>() : "",
          signal.is_number_integer() ? signal.get<int>() : 0, extra_in(said, "early") == true};
}

}  // namespace

Expected<RunFolder, std::string> RunFolder::make(const std::string& path, const std::string& plan) {
  const auto trouble = [&path](const std::string& why) {
    return unexpected(fmt::format("\"{}\" can't be used: {}; a folder for the reports", path,
                                  path.empty() ? "it has no name" : why));
  };
  std::error_code error;
  RunFolder folder;
  fs::create_directories(path, error);
  std::error_code ignored;
  if (path.empty() || !fs::is_directory(path, ignored)) return trouble(error.message());
  const fs::path of_run = fs::absolute(path, error) / kOfRun;
  folder.path_ = of_run.lexically_normal().string();
  auto held = host::sys::lock_folder(path.c_str());
  if (!held) {
    const bool taken = held.error() == EWOULDBLOCK;
    return trouble(taken ? "another run is writing there" : std::strerror(held.error()));
  }
  folder.held_ = std::move(*held);
  for (const char* file : kReports) fs::remove(fs::path(path) / file, error);
  fs::remove_all(of_run, error);
  fs::create_directories(folder.journals(), error);
  if (error) return trouble(error.message());
  auto written = write_file_whole(folder.marks(), "", Durable::no);
  if (written && !plan.empty()) written = write_file_whole(of_run / "plan.json", plan, Durable::no);
  if (!written) return unexpected(written.error());
  folder.has_plan_ = !plan.empty();
  return folder;
}

std::vector<std::string> RunFolder::environment() const {
  std::vector<std::string> all{
      "POOLPROOF_GUARD=" + path_, "POOLPROOF_JOURNAL=" + journals() + "/workers.jsonl",
      "POOLPROOF_TICKETS=" + path_ + "/tickets", "POOLPROOF_MARKS=" + marks()};
  if (has_plan_) all.push_back("POOLPROOF_PLAN=" + path_ + "/plan.json");
  return all;
}

std::vector<std::vector<JournalLine>> RunFolder::read_journals(std::size_t& spoilt) const {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(journals(), error)) files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::vector<JournalLine>> all;
  for (const fs::path& file : files) {
    const std::string text = read_file(file.string(), UINTMAX_MAX, "a journal").value_or("");
    auto& lines = all.emplace_back();
    for (std::size_t from = 0, end = 0; from < text.size(); from = end + 1) {
      end = std::min(text.find('\n', from), text.size());
      const std::string_view said = std::string_view(text).substr(from, end - from);
      auto line = faults::read_journal_line(said, file.string());
      if (line) {
        lines.push_back(line_with_extras(std::move(*line), said));
      } else {
        ++spoilt;
      }
    }
  }
  return all;
}

}  // namespace poolproof::guard

#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fake_workers/journal.hpp"
#include "fake_workers/plan.hpp"
#include "fake_workers/running_program_testing.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/framing.hpp"

/// The C++ worker and its Python relative are given the same, and what they do is compared.
namespace poolproof::faults {

using Json = nlohmann::json;
using Argv = std::vector<std::string>;

inline const Argv kCpp{FAKE_WORKER};
inline const Argv kPython{"/usr/bin/python3", "-m", "poolproof_worker.faults"};
inline const Argv kEnvironment{std::string("PYTHONPATH=") + PYTHON_FOLDER,
                               "PYTHONDONTWRITEBYTECODE=1"};

inline std::string frame(const std::string& payload, const wire::Framing& framing = {}) {
  return *wire::encode_frame(framing, payload);
}

inline std::string frames(const std::vector<std::string>& payloads, const wire::Framing& framing) {
  std::string all;
  for (const std::string& payload : payloads) all += frame(payload, framing);
  return all;
}

/// What can be seen of a run from outside.
struct Seen {
  std::string out;
  std::string err;
  std::vector<std::string> journal;
  ExitStatus exit;
};

inline std::vector<std::string> journal_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    auto read = read_journal_line(text.substr(start, end - start), "journal");
    INFO(text);
    REQUIRE(read);
    read->record.child_pid = 0;
    lines.push_back(journal_line(read->record, 0, read->worker, 0));
    start = end + 1;
  }
  return lines;
}

/// When TERM is sent: once the journal has that many lines with the text in them, and stdout so
/// many bytes.
struct Term {
  std::string after;
  std::size_t times = 1;
  std::size_t out_bytes = 0;
};

struct Script {
  Argv options;
  std::string input;
  std::optional<Term> term;
  std::string input_after_term;
};

inline Seen run(const Argv& program, const Script& script) {
  const TemporaryFile journal;
  Argv argv = program;
  argv.insert(argv.end(), script.options.begin(), script.options.end());
  argv.insert(argv.end(), {"--timestamp", "1234.5", "--journal", journal.path()});
  RunningProgram worker(argv, kEnvironment);
  worker.send(script.input);
  if (script.term && !script.input_after_term.empty()) {
    journal.wait_for(script.term->after, script.term->times);
    worker.terminate();
    journal.wait_for("receipt");
    worker.send(script.input_after_term);
  }
  worker.close_stdin();
  Seen seen;
  if (script.term && script.input_after_term.empty()) {
    journal.wait_for(script.term->after, script.term->times);
    seen.out = worker.read_stdout(script.term->out_bytes);
    worker.terminate();
  }
  seen.out += worker.read_stdout();
  seen.err = worker.read_stderr();
  seen.exit = worker.wait();
  seen.journal = journal_lines(journal.content());
  return seen;
}

/// Returns what the C++ worker did.
inline Seen check_same(const Script& script) {
  const Seen cpp = run(kCpp, script);
  const Seen python = run(kPython, script);
  CHECK(printable(cpp.out, 4000) == printable(python.out, 4000));
  CHECK((cpp.out == python.out));
  CHECK(printable(cpp.err, 4000) == printable(python.err, 4000));
  CHECK(cpp.journal == python.journal);
  CHECK(cpp.exit.code == python.exit.code);
  CHECK(cpp.exit.signal == python.exit.signal);
  return cpp;
}

inline bool has_receipt(const Seen& seen, std::string_view fault) {
  const std::string key = "\"fault\":\"" + std::string(fault) + "\"";
  return std::ranges::any_of(seen.journal, [&key](const std::string& line) {
    return line.find(key) != std::string::npos;
  });
}

/// Small parameters, so that the test is quick and nothing blocks.
inline Json parameters(const Fault& fault) {
  Json object = Json::object();
  for (const Param& param : fault.params) {
    if (param.quick) object[std::string(param.name)] = *param.quick;
    if (param.name.ends_with("_ms")) object[std::string(param.name)] = 3;
  }
  return object;
}

inline Json aim(const Fault& fault) {
  if (aimed_by_incarnation(fault)) return Json::object();
  if (!aimed_by_call(fault)) return {{"request", 1}};
  return {{"client", "a"}, {"call", 1}};
}

inline Json planned(const Fault& fault) {
  Json object = parameters(fault);
  object["fault"] = fault.name;
  object["at"] = aim(fault);
  return object;
}

/// The same, and once more for each word that says what it writes. How it goes on is left alone.
inline std::vector<Json> planned_in_all_words(const Fault& fault) {
  std::vector<Json> all{planned(fault)};
  for (const Param& param : fault.params) {
    if (param.name == "then") continue;
    for (const std::string_view word : param.words) {
      all.push_back(planned(fault));
      all.back()[param.name] = word;
    }
  }
  return all;
}

inline std::string plan_text(Json faults) {
  for (std::size_t i = 0; i < faults.size(); ++i) faults[i]["id"] = fmt::format("f{}", i);
  return Json{{"plan_version", 1}, {"faults", faults}}.dump();
}

}  // namespace poolproof::faults

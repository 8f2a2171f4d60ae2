#include <cstdio>
#include <filesystem>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/cli/commands.hpp"
#include "harness/host/child.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "harness/probe/conformance.hpp"
#include "harness/probe/detect.hpp"
#include "harness/wire/prefix_option.hpp"
#include "harness/wire/wires.hpp"
#include "harness/worlds/host_world.hpp"
#include "reports/junit.hpp"
#include "reports/probe_json.hpp"

namespace poolproof::cli {
namespace {

void say_aside(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

/// Writes `text` to `file`: nowhere if it is empty, to stdout if it is "-", else to that path.
Expected<void, std::string> put(const std::string& file, const std::string& text) {
  if (file.empty()) return {};
  if (file != "-") return write_file_whole(file, text);
  say(text);
  return {};
}

/// Why `file` can't be written at the end; empty: as far as its folder shows, it can.
std::string unwritable(const std::string& file) {
  if (file.empty() || file == "-") return "";
  const std::filesystem::path path(file);
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return "it is a folder";
  if (!std::filesystem::is_directory(folder, ignored)) return "there is no such folder";
  return access(folder.c_str(), W_OK) == 0 ? "" : "its folder can't be written to";
}

/// What the user said of the worker. An option about the length prefix says that the wire is
/// prefix.
probe::SpeechHints hints_of(const ProbeArguments& arguments) {
  probe::SpeechHints hints;
  if (const auto* row = wire::wire_called(arguments.wire)) hints.wire = row->wire;
  if (const auto* row = wire::speech_called(arguments.speech)) hints.speech = row->speech;
  hints.opaque = arguments.speech == "opaque";
  if (!arguments.said_of_prefix.empty()) hints.wire = wire::Wire::prefix;
  return hints;
}

}  // namespace

int probe(const ProbeArguments& arguments) {
  host::sys::ignore_sigpipe();
  host::sys::adopt_orphans();
  if (arguments.command.empty())
    return bad_input(
        "probe: no worker's command; write it after --, as in "
        "poolproof probe -- python3 my_worker.py");
  if (arguments.json == "-" && arguments.junit == "-")
    return bad_input("probe: --json and --junit can't both go to stdout; give one of them a FILE");
  for (const auto& [option, file] :
       {std::pair{"--json", &arguments.json}, std::pair{"--junit", &arguments.junit}}) {
    if (const std::string why = unwritable(*file); !why.empty()) {
      return bad_input(
          fmt::format("probe: {} {} can't be written: {}", option, printable_message(*file), why));
    }
  }
  if (const auto* const row = wire::wire_called(arguments.wire)) {
    const auto wrong = wire::said_of_no_prefix(arguments.said_of_prefix, row->wire);
    if (wrong) return bad_input("probe: " + wrong->line());
  }
  const auto found = host::find_program(arguments.command.front()).and_then(worlds::startable);
  if (!found)
    return bad_input("probe: " + found.error().message +
                     "; the path of a program, or its name on the PATH");
  const std::string token = host::new_token();
  // From here on neither Ctrl-C nor a kill -9 leaves anybody behind.
  const auto guardian = host::Guardian::start(own_program(), token);
  if (!guardian) return broken(guardian.error().message);
  probe::Settings settings{
      arguments.command,
      {static_cast<std::uint8_t>(arguments.prefix_bytes), arguments.max_frame_bytes,
       wire::Wire::prefix, arguments.byte_order == "little"},
      wire::Speech::bridge,
      false,
      std::chrono::milliseconds(arguments.timeout_ms),
      guardian->pid()};
  if (!arguments.wire_log.empty()) {
    auto log = wire::WireLog::open(arguments.wire_log, settings.framing, host::sys::now(),
                                   arguments.wire_log_bytes);
    if (!log) return bad_input("probe: " + log.error().line());
    settings.wire_log = std::make_shared<wire::WireLog>(*std::move(log));
  }
  const bool aside = arguments.json == "-" || arguments.junit == "-";
  const probe::Say show = aside ? probe::Say(say_aside) : probe::Say(say);
  settings = probe::detect(std::move(settings), hints_of(arguments), token, show);
  const probe::Table table = probe::examine(settings, token, show);
  show("\n" + probe::told(table));
  const auto written = put(arguments.json, reports::probe_json(table)).and_then([&] {
    return put(arguments.junit, reports::junit_of_probe(table));
  });
  if (!written) return broken(written.error());
  if (settings.wire_log && !settings.wire_log->trouble().empty())
    return broken("probe: no whole wire log: " + settings.wire_log->trouble());
  show("diagnosis: " + table.diagnosis + ".\n");
  return table.usable() ? kHeld : kFailed;
}

}  // namespace poolproof::cli

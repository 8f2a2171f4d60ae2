#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "fake_workers/action.hpp"
#include "harness/base/text.hpp"

namespace poolproof::faults {

/// Actions as text, one after the other with `; ` in between, for the tables of the tests:
/// `read 0; write "..."; wrote 0 12; pause 300; exit 1`.
std::string script(const Actions& actions);

inline std::string script(const JournalRecord& record) {
  std::string text(name(record.kind));
  if (record.request) text += fmt::format(" {}", *record.request);
  if (record.kind == JournalRecord::Kind::receipt) text += fmt::format(" {}", record.fault);
  if (record.kind == JournalRecord::Kind::wrote) text += fmt::format(" {}", record.bytes);
  if (record.kind == JournalRecord::Kind::exiting) text += fmt::format(" {}", record.code);
  return text;
}

struct ScriptLine {
  static std::string ms(Duration span) { return std::to_string(to_ms(span)); }

  std::string operator()(const Write& write) const {
    std::string text = "write " + printable(write.bytes, 400);
    if (write.chunk_bytes > 0) {
      text += " by " + std::to_string(write.chunk_bytes) + " every " + ms(write.gap);
    }
    return text;
  }
  std::string operator()(const WriteStderr& write) const {
    return "stderr " + printable(write.text, 400);
  }
  std::string operator()(const Pause& pause) const { return "pause " + ms(pause.span); }
  std::string operator()(const Compute& compute) const {
    return "compute " + std::to_string(compute.below);
  }
  std::string operator()(const Grow& grow) const { return "grow " + std::to_string(grow.bytes); }
  std::string operator()(const Exit& exit) const { return "exit " + std::to_string(exit.code); }
  std::string operator()(const Raise& raise) const {
    return "raise " + std::to_string(raise.signal);
  }
  std::string operator()(const CloseStdout&) const { return "close stdout"; }
  std::string operator()(const CloseStdin&) const { return "close stdin"; }
  std::string operator()(const StopReading&) const { return "stop reading"; }
  std::string operator()(const HoldBack&) const { return "hold back"; }
  std::string operator()(const Fork& fork) const { return "fork " + ms(fork.lifetime); }
  std::string operator()(const Journal& journal) const { return script(journal.record()); }
};

inline std::string script(const Actions& actions) {
  std::string text;
  for (const Action& action : actions) {
    text += (text.empty() ? "" : "; ") + std::visit(ScriptLine{}, action);
  }
  return text;
}

}  // namespace poolproof::faults

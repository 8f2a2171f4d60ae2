#include "harness/wrap/wrap.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "fake_workers/fake_worker_ticket.hpp"
#include "harness/host/child.hpp"
#include "harness/wrap/options.hpp"
#include "harness/wrap/relay.hpp"

namespace poolproof::wrap {
namespace {

/// The worker's environment: without plan, journal, tickets and log, which are ours. A worker that
/// knows them, too, would obey them once more.
std::vector<std::string> environment_below() {
  std::vector<std::string> env = sys::environment();
  std::erase_if(env, [](const std::string& entry) {
    return entry.starts_with("POOLPROOF_PLAN=") || entry.starts_with("POOLPROOF_JOURNAL=") ||
           entry.starts_with("POOLPROOF_TICKETS=") || entry.starts_with("POOLPROOF_WIRE_LOG=");
  });
  return env;
}

/// Numbers this worker among those that share the file of tickets, if there is one.
Parsed<void> draw_ticket(Options& options) {
  const std::string& file = options.tickets_file;
  if (file.empty()) return {};
  const auto ticket = faults::draw_ticket(file);
  if (!ticket) {
    return unexpected(InputError{file, std::generic_category().message(errno),
                                 "a file for tickets that can be written"});
  }
  options.self.generation = *ticket;
  return {};
}

Parsed<void> open_files(const Options& options, RelaySettings& settings) {
  if (!options.journal_file.empty()) {
    auto journal = sys::open_to_append(options.journal_file);
    if (!journal) {
      return unexpected(InputError{options.journal_file,
                                   std::generic_category().message(journal.error()),
                                   "a journal file that can be written"});
    }
    settings.journal = std::move(*journal);
  }
  if (options.wire_log.empty()) return {};
  auto log = wire::WireLog::open(wire::WireLog::path_for(options.wire_log, ::getpid()),
                                 options.framing, host::sys::now(), options.wire_log_bytes);
  if (!log) return unexpected(log.error());
  settings.wire_log.emplace(std::move(*log));
  return {};
}

}  // namespace

int wrap(std::span<const char* const> words, const std::string& own_program, const Voice& voice) {
  auto options = read_options(words, [](const char* name) { return std::getenv(name); });
  if (!options) return voice.bad_input(options.error().line());
  if (options->help) {
    voice.say(help_text());
    return 0;
  }
  if (const auto drawn = draw_ticket(*options); !drawn)
    return voice.bad_input(drawn.error().line());
  static faults::Plan plan;
  auto read = whole_plan(*options);
  if (!read) return voice.bad_input(read.error().line());
  plan = *std::move(read);
  const auto program = host::find_program(options->command.front());
  if (!program) {
    return voice.bad_input(fmt::format("wrap: {}; the path of a program, or its name on the PATH",
                                       program.error().message));
  }
  RelaySettings settings{.machine = {options->framing, options->speech, options->self, plan,
                                     !options->journal_file.empty()},
                         .program = *program,
                         .argv = options->command,
                         .env = environment_below(),
                         .own_program = own_program,
                         .channel = options->channel,
                         .wire_log = {},
                         .journal = {},
                         .complain = [&voice](const std::string& why, bool bad_input) {
                           return bad_input ? voice.bad_input("wrap: " + why)
                                            : voice.broken("wrap: " + why);
                         }};
  if (const auto opened = open_files(*options, settings); !opened)
    return voice.bad_input(opened.error().line());
  relay(std::move(settings));
}

}  // namespace poolproof::wrap

#include "harness/worlds/host_world.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "fake_workers/journal.hpp"
#include "fake_workers/plan.hpp"
#include "harness/base/assert.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/write_file.hpp"
#include "harness/host/census.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"
#include "harness/scenario/client_name.hpp"
#include "harness/wire/wires.hpp"
#include "harness/worlds/client.hpp"
#include "harness/worlds/failing_start.hpp"
#include "harness/worlds/milestones.hpp"
#include "harness/worlds/quiescence.hpp"

namespace poolproof::worlds {
namespace {

using namespace std::chrono_literals;
using scenario::Scenario;
using scenario::WorkerKind;
namespace fs = std::filesystem;

/// After the pool is gone, what it killed may still be dying: it is given so long to be gone from
/// the process table.
constexpr Duration kDyingLimit = 3s;
constexpr Duration kDyingGap = 2ms;

std::string plan_path(const HostWorld& world) {
  return world.folder + "/plan.json";
}
/// The plan for `poolproof wrap`, which alone knows faults that are aimed by what a request says.
std::string wrap_plan_path(const HostWorld& world) {
  return world.folder + "/wrap_plan.json";
}
std::string journal_path(const HostWorld& world) {
  return world.folder + "/journal.jsonl";
}

const scenario::WorkerSpec& spec_of(const Scenario& scenario, std::uint32_t slot) {
  return scenario.workers[slot % scenario.workers.size()];
}

/// The program of a worker: its argv[0], which with a slash is a path from the scenario's folder.
std::string program_of(const scenario::WorkerSpec& spec, const std::string& scenario_folder) {
  const std::string& name = spec.argv.front();
  return name.find('/') == std::string::npos ? name : (fs::path(scenario_folder) / name).string();
}
std::string directory_of(const scenario::WorkerSpec& spec, const std::string& scenario_folder) {
  return spec.cwd.empty() ? scenario_folder : (fs::path(scenario_folder) / spec.cwd).string();
}

/// The environment that tells a worker with a journal what to do.
std::vector<std::string> orders_of(const Scenario& scenario, const HostWorld& world,
                                   const std::string& plan) {
  const auto& framing = scenario.pool.framing;
  return {"POOLPROOF_PLAN=" + plan,
          "POOLPROOF_JOURNAL=" + journal_path(world),
          fmt::format("POOLPROOF_WIRE={}", wire::row_of(framing.wire).name),
          fmt::format("POOLPROOF_SPEECH={}", wire::row_of(scenario.pool.speech).name),
          fmt::format("POOLPROOF_PREFIX_BYTES={}", framing.prefix_bytes),
          fmt::format("POOLPROOF_BYTE_ORDER={}", framing.little_endian ? "little" : "big"),
          fmt::format("POOLPROOF_MAX_FRAME_BYTES={}", framing.max_frame_bytes)};
}

/// The command line of `poolproof wrap`, without the real program that it stands before.
std::vector<std::string> wrap_words(const scenario::PoolSpec& pool, const std::string& own) {
  const std::string_view speech = pool.opaque ? "opaque" : wire::row_of(pool.speech).name;
  return {own,        "wrap",
          "--wire",   std::string(wire::row_of(pool.framing.wire).name),
          "--speech", std::string(speech),
          "--"};
}

host::Command command_of(const Scenario& scenario, const HostWorld& world, WorkerId worker) {
  const auto& spec = spec_of(scenario, worker.slot);
  host::Command command;
  command.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/",
                 "POOLPROOF_TOKEN=" + world.token};
  const bool wrapped = spec.kind == WorkerKind::wrapped;
  if (spec.journals()) {
    const auto orders =
        orders_of(scenario, world, wrapped ? wrap_plan_path(world) : plan_path(world));
    command.env.insert(command.env.end(), orders.begin(), orders.end());
  }
  if (wrapped) command.argv = wrap_words(scenario.pool, world.programs.own);
  if (spec.is_real_program()) {
    command.argv.push_back(program_of(spec, world.scenario_folder));
    command.argv.insert(command.argv.end(), spec.argv.begin() + 1, spec.argv.end());
    command.working_directory = directory_of(spec, world.scenario_folder);
  }
  if (spec.kind == WorkerKind::fake) command.argv = {world.programs.fake_worker};
  if (spec.kind == WorkerKind::python) {
    command.argv = {world.programs.python, "-m", "poolproof_worker.faults"};
    command.env.push_back("PYTHONPATH=" + world.programs.python_path);
  }
  for (const auto& [name, value] : spec.env)
    command.env.push_back(fmt::format("{}={}", name, value));
  return command;
}

/// Every process of the run, by its mark or by its descent: one that cleared its environment and
/// left its session is still found, since this process adopts orphans.
std::vector<host::Marked> processes_left(const std::string& token) {
  auto left = host::processes_marked(token);
  for (auto& one : host::descendants(::getpid())) {
    const auto is_same = [&one](const auto& other) { return other.pid == one.pid; };
    if (std::ranges::none_of(left, is_same)) left.push_back(std::move(one));
  }
  return left;
}

/// A census of what is still there once the dying have had their time.
trace::OsRecord after_the_end(const std::string& token) {
  const Time give_up = after(host::sys::now(), kDyingLimit);
  auto left = processes_left(token);
  while (!left.empty() && host::sys::now() < give_up) {
    std::this_thread::sleep_for(kDyingGap);
    left = processes_left(token);
  }
  trace::OsRecord record = os_record("after");
  for (const auto& process : left) {
    record.survivors.push_back(fmt::format("pid {} ({})", process.pid, process.command));
  }
  return record;
}

/// The journal's whole lines. A worker killed in the middle of a line leaves a part of one, which
/// says nothing.
Expected<std::vector<trace::WorkerRecord>, std::string> read_journal(const std::string& path) {
  std::vector<trace::WorkerRecord> records;
  // A run whose workers never came to write a line has none.
  const std::string text = read_file(path, UINTMAX_MAX, "a journal").value_or("");
  std::size_t line_number = 0;
  for (std::size_t from = 0, end = text.find('\n'); end != std::string::npos;
       end = text.find('\n', from)) {
    auto record = faults::read_journal_line(std::string_view(text).substr(from, end - from),
                                            fmt::format("{}:{}", path, ++line_number));
    if (!record) return unexpected(record.error().line());
    records.push_back(std::move(*record));
    from = end + 1;
  }
  return records;
}

/// A pool, its clients and what they write down.
class Run {
 public:
  Run(const Scenario& scenario, const HostWorld& world)
      : scenario_(scenario),
        world_(world),
        failing_starts_(scenario.faults, world.folder, journal_path(world)) {}

  Expected<trace::Trace, std::string> carry_out() {
    // A sanitizer starts a thread of its own with our first one: that is not the pool's.
    std::thread([] {}).join();
    trace_.os.push_back(os_record("before"));
    if (auto planned = write_plans(); !planned) return unexpected(planned.error());
    if (auto ready = failing_starts_.prepare(); !ready) return unexpected(ready.error());
    auto pool = host::Pool::open(options());
    if (!pool) return unexpected(pool.error().line());
    perform(**pool);
    take_quiescence_census(**pool);
    close_at_last(**pool);
    pool->reset();
    if (!failing_starts_.trouble().empty()) return unexpected(failing_starts_.trouble());
    trace_.os.push_back(after_the_end(world_.token));
    auto journal = read_journal(journal_path(world_));
    if (!journal) return unexpected(journal.error());
    trace_.workers = std::move(*journal);
    trace_.header.trouble = trouble_;
    return std::move(trace_);
  }

 private:
  [[nodiscard]] Expected<void, std::string> write_plans() const {
    faults::Plan told = scenario_.faults;
    std::erase_if(told, [](const auto& fault) { return fault.at.is_by_words(); });
    const auto planned = write_file_whole(plan_path(world_), faults::write_plan(told), Durable::no);
    if (!planned) return unexpected(planned.error());
    const auto& workers = scenario_.workers;
    if (std::ranges::find(workers, WorkerKind::wrapped, &scenario::WorkerSpec::kind) ==
        workers.end())
      return {};
    // A plan is for processes that run. Starts that are to fail do so by their command instead.
    told = scenario_.faults;
    std::erase_if(told,
                  [](const auto& fault) { return fault.fault->moment == faults::Moment::launch; });
    const auto wrap =
        write_file_whole(wrap_plan_path(world_), faults::write_plan(told), Durable::no);
    if (!wrap) return unexpected(wrap.error());
    return {};
  }

  host::Options options() {
    host::Options options;
    options.core = scenario_.pool.core;
    options.core.seed = scenario_.seed;
    options.framing = scenario_.pool.framing;
    options.checkout_timeout = scenario_.pool.checkout_timeout;
    options.call_timeout = scenario_.pool.call_timeout;
    options.close_timeout = scenario_.pool.close_timeout;
    options.on_exception = scenario_.pool.on_exception;
    options.opaque = scenario_.pool.opaque;
    options.speech = scenario_.pool.speech;
    options.adopt_orphans = true;
    options.command_for = [this](WorkerId worker) {
      host::Command command = command_of(scenario_, world_, worker);
      failing_starts_.strike(worker, command);
      return command;
    };
    options.observer = [this](Time at, const pool::Event& event,
                              std::span<const pool::Effect> effects) {
      milestones_.observed(event, effects);
      trace_.pool.push_back({at, event, {effects.begin(), effects.end()}});
    };
    return options;
  }

  [[nodiscard]] Stage stage(host::Pool& pool) {
    return {pool,
            scenario_,
            milestones_,
            [this](const std::string& name) { cancel(name); },
            [this](const std::string& fault) { return struck(fault); },
            [this](const trace::EnvironmentRecord& record) {
              const std::lock_guard lock(mutex_);
              trace_.environment.push_back(record);
            }};
  }

  void perform(host::Pool& pool) {
    Stage stage = this->stage(pool);
    for (const auto& client : scenario_.clients) {
      for (std::uint32_t i = 1; i <= client.count; ++i) {
        clients_.emplace_back(stage, client, scenario::single_name(client, i));
      }
    }
    std::vector<std::thread> threads;
    threads.reserve(clients_.size());
    for (auto& client : clients_) threads.emplace_back([&client] { client.run(); });
    for (auto& thread : threads) thread.join();
    for (auto& client : clients_) {
      take_history(client);
      if (trouble_.empty()) trouble_ = client.trouble();
    }
  }

  void take_history(const ClientRun& client) {
    trace_.clients.insert(trace_.clients.end(), client.history().begin(), client.history().end());
  }

  void take_quiescence_census(host::Pool& pool) {
    if (!trouble_.empty()) return;
    auto quiescent = quiescence_census(pool, milestones_, trace_.os.front());
    if (quiescent) trace_.os.push_back(std::move(*quiescent));
  }

  /// The harness closes the pool once more, whoever closed it before, as the client without a name.
  void close_at_last(host::Pool& pool) {
    Stage stage = this->stage(pool);
    scenario::Client harness;
    harness.steps.emplace_back(scenario::Close{});
    ClientRun closer(stage, harness, "");
    closer.run();
    take_history(closer);
    const auto statistics = pool.statistics();
    POOLPROOF_ASSERT(pool::adds_up(statistics.counters, statistics.gauges));
  }

  void cancel(const std::string& name) {
    for (auto& client : clients_) {
      if (client.name() == name) client.cancel();
    }
  }

  [[nodiscard]] bool struck(const std::string& fault) const {
    const auto journal = read_journal(journal_path(world_));
    if (!journal) return false;
    for (const auto& record : *journal) {
      if (record.record.kind == faults::JournalRecord::Kind::receipt &&
          record.record.fault == fault)
        return true;
    }
    return false;
  }

  const Scenario& scenario_;
  const HostWorld& world_;
  FailingStarts failing_starts_;
  Milestones milestones_;
  std::deque<ClientRun> clients_;
  std::mutex mutex_;
  trace::Trace trace_;
  std::string trouble_;
};

}  // namespace

Programs find_programs() {
  const auto from_environment = [](const char* name, std::string otherwise) {
    const char* set = std::getenv(name);
    return set != nullptr && *set != '\0' ? std::string(set) : std::move(otherwise);
  };
  std::error_code ignored;
  const auto here = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto beside = here / "fake_worker";
  const bool installed = !std::filesystem::exists(beside, ignored);
  const auto prefix = here.parent_path();
  const auto libexec = prefix / POOLPROOF_LIBEXEC / "fake_worker";
  const auto packages = prefix / POOLPROOF_PYTHON_FOLDER;
  Programs programs;
  programs.own = fs::read_symlink("/proc/self/exe", ignored).string();
  programs.fake_worker =
      from_environment("POOLPROOF_FAKE_WORKER", (installed ? libexec : beside).string());
  programs.python = from_environment("POOLPROOF_PYTHON", POOLPROOF_PYTHON_DEFAULT);
  programs.python_path = from_environment(
      "POOLPROOF_PYTHONPATH", installed ? packages.string() : POOLPROOF_PYTHONPATH_DEFAULT);
  return programs;
}

Expected<std::string, host::LaunchError> startable(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  int why = 0;
  if (!std::filesystem::exists(status)) {
    why = ENOENT;
  } else if (std::filesystem::is_directory(status)) {
    why = EISDIR;
  } else if (::access(path.c_str(), X_OK) != 0) {
    why = errno;
  }
  if (why != 0) return unexpected(host::cannot_start(path, why));
  return path;
}

Parsed<bool> check_programs(const Scenario& scenario, const Programs& programs,
                            const std::string& where, const std::string& scenario_folder) {
  for (std::size_t i = 0; i < scenario.workers.size(); ++i) {
    const auto& spec = scenario.workers[i];
    const bool real = spec.is_real_program();
    std::error_code ignored;
    if (real && !fs::is_directory(directory_of(spec, scenario_folder), ignored)) {
      return unexpected(
          InputError{fmt::format("{}#/workers/{}/cwd", where, i),
                     fmt::format("no such folder: {}", directory_of(spec, scenario_folder)),
                     "a folder, from the scenario's own"});
    }
    const std::string program = spec.kind == WorkerKind::fake ? programs.fake_worker
                                : real                        ? program_of(spec, scenario_folder)
                                                              : programs.python;
    const auto found = host::find_program(program).and_then(startable);
    if (found) continue;
    return unexpected(InputError{fmt::format("{}#/workers/{}", where, i),
                                 "worker program missing: " + found.error().message,
                                 "the path of a program, or its name on the PATH"});
  }
  return true;
}

Expected<trace::Trace, std::string> carry_out(const Scenario& scenario, const HostWorld& world) {
  return Run(scenario, world).carry_out();
}

}  // namespace poolproof::worlds

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "fake_workers/needs.hpp"
#include "harness/scenario/client_name.hpp"
#include "harness/scenario/scenario_json.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::scenario {
namespace {

using Names = std::vector<std::string>;

/// One scenario under examination, and where complaints go.
class Examination {
 public:
  Examination(const Scenario& scenario, const JsonNode& root) : scenario_(scenario), root_(root) {
    for (const Client& client : scenario.clients) {
      for (std::uint32_t i = 1; i <= client.count; ++i) {
        singles_.push_back(single_name(client, i));
      }
    }
  }

  void clients() {
    for (std::size_t i = 0; i < scenario_.clients.size(); ++i) {
      const Client& client = scenario_.clients[i];
      const std::string place = fmt::format("/clients/{}", i);
      for (std::size_t j = 0; j < i; ++j) {
        if (scenario_.clients[j].name != client.name) continue;
        wrong(place + "/name", fmt::format("is \"{}\" as that of client {}", client.name, j),
              "a name of its own");
      }
      if (!client.after.empty()) known_client(place + "/after", client.after);
      steps(i);
    }
  }

  void faults() {
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
      aim(fmt::format("/faults/{}/at", i), scenario_.faults[i]);
    }
  }

  void worlds() {
    for (const WorkerSpec& worker : scenario_.workers) {
      if (!worker.is_real_program() || !scenario_.runs_in(WorldKind::sim)) continue;
      wrong("/worlds", fmt::format("has \"sim\", where no {} can run", called(worker)),
            "[\"host\"]");
    }
  }

  void memory() {
    if (scenario_.pool.core.max_rss_bytes == 0) return;
    if (std::ranges::none_of(scenario_.workers, is_wrapped)) return;
    wrong("/pool/max_rss_bytes", "is there, and what would be measured of a wrapped worker is wrap",
          "workers of another kind");
  }

  void success() {
    if (scenario_.expect.no_success || scenario_.expect.any_success) return;
    if (any_step(scenario_, makes_a_call)) return;
    wrong("/clients", "nobody calls, and some call must succeed",
          "a call, or \"no_success\": true in \"expect\"");
  }

 private:
  static bool is_wrapped(const WorkerSpec& worker) { return worker.kind == WorkerKind::wrapped; }
  static std::string called(const WorkerSpec& worker) {
    return is_wrapped(worker) ? "wrapped worker" : "command";
  }

  void steps(std::size_t client) {
    const std::vector<Step>& steps = scenario_.clients[client].steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::string place =
          fmt::format("/clients/{}/steps/{}/{}", client, i, name(kind(steps[i])));
      step(place, steps[i]);
      session(place, steps[i]);
      payload(place, steps[i]);
    }
  }

  void step(const std::string& place, const Step& step) {
    if (const auto* await = std::get_if<AwaitClient>(&step)) {
      known_client(place + "/client", await->client);
      const Client* client = client_of(scenario_, await->client);
      if (client == nullptr || await->step < client->steps.size()) return;
      wrong(place + "/step",
            fmt::format("is {}, \"{}\" has {} steps", await->step, await->client,
                        client->steps.size()),
            fmt::format("0 to {}", client->steps.size() - 1));
    } else if (const auto* worker = std::get_if<AwaitWorker>(&step)) {
      known_slot(place + "/worker/slot", worker->worker.slot);
    } else if (const auto* fault = std::get_if<AwaitFault>(&step)) {
      known_fault(place + "/fault", fault->fault);
    } else if (const auto* cancel = std::get_if<Cancel>(&step)) {
      known_client(place + "/client", cancel->client);
    } else if (const auto* signal = std::get_if<SignalWorker>(&step)) {
      known_slot(place + "/slot", signal->worker.slot);
    }
  }

  void session(const std::string& place, const Step& step) {
    const auto* session = session_of(step);
    if (session == nullptr) return;
    const bool is_plain = session->affinity == SessionSpec{}.affinity;
    const bool waits = session->when_busy == SessionSpec{}.when_busy;
    if (session->name.empty() && !(is_plain && waits)) {
      wrong(place, "says how it belongs to a session, and names none", "a \"session\"");
    } else if (!is_plain && !waits) {
      wrong(place + "/when_busy",
            fmt::format("is \"fail\" beside the affinity {}", name(session->affinity)),
            "the affinity strict, which alone waits for one worker");
    }
  }

  void payload(const std::string& place, const Step& step) {
    const bool enveloped =
        std::holds_alternative<Call>(step) || std::holds_alternative<Execute>(step);
    if (enveloped && scenario_.pool.opaque) {
      wrong(place, "is a call with an envelope, the pool's payload is opaque", "\"call_bytes\"");
    }
    if (std::holds_alternative<CallBytes>(step) && !scenario_.pool.opaque) {
      wrong(place, "is a call of bare bytes, the pool's payload is an envelope",
            "\"call\", or the pool option \"payload\": \"opaque\"");
    }
  }

  void aim(const std::string& place, const faults::PlannedFault& fault) {
    const wire::Wire wire = scenario_.pool.framing.wire;
    if (!faults::can_strike_on(*fault.fault, wire)) {
      wrong(
          place,
          fmt::format("{} can't strike on the wire {}", fault.fault->name, wire::row_of(wire).name),
          "one of the wires " + faults::wires_of(*fault.fault));
    }
    if (fault.at.slot) known_slot(place + "/slot", *fault.at.slot);
    const auto& workers = scenario_.workers;
    const std::span<const WorkerSpec> there =
        fault.at.slot ? std::span(workers).subspan(*fault.at.slot % workers.size(), 1) : workers;
    if (std::ranges::none_of(there, &WorkerSpec::journals)) {
      wrong(place, "no worker there takes faults", "a worker of kind fake, python or wrapped");
    }
    if (std::ranges::any_of(there, is_wrapped)) aim_behind_wrap(place, fault);
    const auto knows_words = [](const WorkerSpec& worker) {
      return is_wrapped(worker) || !worker.journals();
    };
    if (fault.at.is_by_words() && !std::ranges::all_of(there, knows_words)) {
      wrong(place, "says what the request says, which a worker of kind fake or python can't tell",
            "a \"slot\" that is wrapped, or a client's call");
    }
    if (!fault.at.client.empty()) aim_at_client(place, fault.at);
  }

  void aim_behind_wrap(const std::string& place, const faults::PlannedFault& fault) {
    const PoolSpec& pool = scenario_.pool;
    const faults::Between between{pool.framing, !pool.opaque,
                                  !pool.opaque && pool.speech == wire::Speech::bridge,
                                  pool.says_goodbye()};
    // The pool itself makes a start fail: wrap does not run yet and has no part in it.
    const bool launch = fault.fault->moment == faults::Moment::launch;
    const std::string why = launch ? "" : faults::cannot_strike(*fault.fault, between);
    if (!why.empty()) {
      wrong(place, fmt::format("behind wrap {} can't strike", fault.fault->name),
            fmt::format("it {}", why));
    }
    if (!fault.at.method.empty() && pool.opaque) {
      wrong(place + "/method", "is there, the pool's payload is opaque",
            "\"contains\" or \"request\"");
    }
  }

  /// The most calls that an execution may make.
  static std::uint64_t calls_of(const Execute& execute) {
    const bool is_bound =
        !execute.session.name.empty() && execute.session.affinity == pool::Affinity::strict;
    return is_bound || execute.retry == pool::Retry::never ? 1 : 1 + execute.retries_max;
  }

  void aim_at_client(const std::string& place, const faults::Aim& aim) {
    known_client(place + "/client", aim.client);
    const Client* client = client_of(scenario_, aim.client);
    if (client == nullptr) return;
    std::uint64_t calls = 0;
    for (const Step& step : client->steps) {
      if (std::holds_alternative<Call>(step)) ++calls;
      if (const auto* execute = std::get_if<Execute>(&step)) calls += calls_of(*execute);
    }
    calls *= client->repeat;
    if (aim.call <= calls) return;
    wrong(place + "/call", fmt::format("is {}, \"{}\" makes {} calls", aim.call, aim.client, calls),
          calls == 0 ? "a client that calls" : fmt::format("1 to {}", calls));
  }

  void known_client(const std::string& place, const std::string& name) {
    if (client_of(scenario_, name) != nullptr) return;
    for (const Client& client : scenario_.clients) {
      if (client.name != name) continue;
      return wrong(place, fmt::format("\"{}\" are {} clients", name, client.count),
                   fmt::format("one of them, \"{}\" to \"{}\"", single_name(client, 1),
                               single_name(client, client.count)));
    }
    const std::vector<std::string_view> names(singles_.begin(), singles_.end());
    wrong(place, fmt::format("unknown client \"{}\"", name), suggestion(name, names));
  }

  void known_slot(const std::string& place, std::uint32_t slot) {
    const std::uint32_t size = scenario_.pool.core.size;
    if (slot < size) return;
    wrong(place, fmt::format("is {}, the pool has {} slot{}", slot, size, size == 1 ? "" : "s"),
          fmt::format("0 to {}", size - 1));
  }

  void known_fault(const std::string& place, const std::string& name) {
    std::vector<std::string_view> planned;
    for (const faults::PlannedFault& fault : scenario_.faults) planned.push_back(fault.fault->name);
    if (std::ranges::find(planned, name) != planned.end()) return;
    wrong(place, fmt::format("\"{}\" is not planned", name),
          planned.empty() ? "a fault of \"faults\"" : suggestion(name, planned));
  }

  void wrong(const std::string& place, std::string what, std::string want) {
    root_.complaints().add(root_.where() + "#" + place, std::move(what), std::move(want));
  }

  const Scenario& scenario_;
  const JsonNode& root_;
  Names singles_;  ///< the clients as they are named in a run: `a`, `b.1`, `b.2`
};

}  // namespace

void check_coherence(const Scenario& scenario, const JsonNode& root) {
  Examination examination(scenario, root);
  examination.clients();
  examination.faults();
  examination.worlds();
  examination.memory();
  examination.success();
}

}  // namespace poolproof::scenario

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/scenario/read_parts.hpp"
#include "harness/scenario/signals.hpp"

namespace poolproof::scenario {
namespace {

using Keys = std::initializer_list<std::string_view>;

constexpr std::int64_t kPadBytesMax = 64 << 20;
constexpr std::array<std::string_view, 2> kClientMoments{"begun", "ended"};

bool has_only(const JsonNode& node, Keys keys) {
  return node.object(std::span(keys.begin(), keys.size()));
}

std::optional<Duration> read_timeout(const JsonNode& node) {
  const auto value = node.find("timeout_ms");
  return value ? std::optional(value->span()) : std::nullopt;
}

std::uint32_t read_count(const JsonNode& node, std::int64_t min, std::int64_t max) {
  return static_cast<std::uint32_t>(node.whole(min, max));
}

std::string read_text(const JsonNode& node, std::string_view key, std::string_view why) {
  const auto value = node.need(key, why);
  return value ? value->text() : "";
}

Step read_checkout(const JsonNode& node) {
  has_only(node, {"timeout_ms"});
  return Checkout{read_timeout(node)};
}

std::shared_ptr<const nlohmann::json> read_args(const JsonNode& node) {
  const auto args = node.find("args");
  if (!args) return std::make_shared<const nlohmann::json>(nlohmann::json::object());
  if (!args->is_object()) args->not_a("an object");
  for (const std::string_view ours : {"nonce", "pad"}) {
    if (args->find(ours)) {
      args->wrong(fmt::format("has the key \"{}\"", ours), "another one: the harness sets it");
    }
  }
  return std::make_shared<const nlohmann::json>(args->json());
}

Step read_call(const JsonNode& node) {
  Call call;
  if (has_only(node, {"command", "args", "timeout_ms", "pad_bytes"})) {
    call.command = read_text(node, "command", "what the worker shall do, as \"echo\"");
    if (call.command.empty()) node.wrong("\"command\" is empty", "a command, as \"echo\"");
    if (const auto pad = node.find("pad_bytes")) call.pad_bytes = read_count(*pad, 0, kPadBytesMax);
    call.timeout = read_timeout(node);
  }
  call.args = read_args(node);
  return call;
}

Step read_call_bytes(const JsonNode& node) {
  CallBytes call;
  has_only(node, {"text", "timeout_ms"});
  call.text = read_text(node, "text", "the bytes of the request");
  if (call.text.empty()) node.wrong("\"text\" is empty", "at least one byte: no frame is empty");
  call.timeout = read_timeout(node);
  return call;
}

Step read_checkin(const JsonNode& node) {
  has_only(node, {});
  return Checkin{};
}

Step read_throw(const JsonNode& node) {
  has_only(node, {});
  return Throw{};
}

Step read_await_client(const JsonNode& node) {
  AwaitClient await;
  if (!has_only(node, {"client", "step", "moment"})) return await;
  await.client = read_text(node, "client", "whose step");
  if (const auto step = node.need("step", "which step, counted from 0")) {
    await.step = read_count(*step, 0, UINT32_MAX);
  }
  if (const auto moment = node.need("moment", "\"begun\" or \"ended\"")) {
    await.ended = moment->choice(kClientMoments) == 1;
  }
  return await;
}

Step read_await_worker(const JsonNode& node) {
  AwaitWorker await;
  if (!has_only(node, {"worker", "moment"})) return await;
  if (const auto worker = node.find("worker")) {
    if (has_only(*worker, {"slot", "generation"})) await.worker = read_worker_id(*worker);
  }
  if (const auto moment = node.need("moment", "started, ready, idle or exited")) {
    await.moment = static_cast<WorkerMoment>(moment->choice(kWorkerMomentNames));
  }
  return await;
}

Step read_await(const JsonNode& node) {
  if (node.find("client")) return read_await_client(node);
  if (node.find("worker")) return read_await_worker(node);
  has_only(node, {"client", "step", "worker", "moment", "fault"});
  if (!node.find("fault")) node.wrong("says not what for", "a client, a worker or a fault");
  has_only(node, {"fault"});
  const auto fault = node.find("fault");
  return AwaitFault{fault ? fault->text() : ""};
}

Step read_pause(const JsonNode& node) {
  has_only(node, {"span_ms"});
  const auto span = node.need("span_ms", "how long");
  return Pause{span ? span->span() : Duration{}};
}

Step read_cancel(const JsonNode& node) {
  has_only(node, {"client"});
  return Cancel{read_text(node, "client", "whose checkout or call")};
}

int read_signal(const JsonNode& node) {
  if (!node.is_text()) return static_cast<int>(node.whole(1, kSignalMax));
  std::array<std::string_view, kSignals.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kSignals[i].first;
  return kSignals[node.choice(names)].second;
}

Step read_signal_worker(const JsonNode& node) {
  SignalWorker step;
  if (!has_only(node, {"slot", "generation", "signal"})) return step;
  step.worker = read_worker_id(node);
  if (const auto signal = node.need("signal", "its name or number, as \"KILL\"")) {
    step.signal = read_signal(*signal);
  }
  return step;
}

Step read_close(const JsonNode& node) {
  has_only(node, {"timeout_ms"});
  return Close{read_timeout(node)};
}

struct StepReader {
  std::string_view name;
  Step (*read)(const JsonNode&);
};
constexpr std::array kReaders{StepReader{"checkout", read_checkout},
                              StepReader{"call", read_call},
                              StepReader{"call_bytes", read_call_bytes},
                              StepReader{"checkin", read_checkin},
                              StepReader{"throw", read_throw},
                              StepReader{"await", read_await},
                              StepReader{"pause", read_pause},
                              StepReader{"cancel", read_cancel},
                              StepReader{"signal_worker", read_signal_worker},
                              StepReader{"close", read_close}};

}  // namespace

WorkerId read_worker_id(const JsonNode& node) {
  WorkerId id;
  if (const auto slot = node.need("slot", "which place of the pool, counted from 0")) {
    id.slot = read_count(*slot, 0, UINT32_MAX);
  }
  if (const auto generation = node.need("generation", "which process in it, counted from 0")) {
    id.generation = read_count(*generation, 0, UINT32_MAX);
  }
  return id;
}

Step read_step(const JsonNode& node) {
  std::array<std::string_view, kReaders.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kReaders[i].name;
  const auto key = node.only_key(names, "step");
  if (!key) return Checkin{};
  for (const StepReader& reader : kReaders) {
    if (reader.name == *key) return reader.read(*node.find(*key));
  }
  POOLPROOF_ASSERT(false);
  return Checkin{};
}

}  // namespace poolproof::scenario

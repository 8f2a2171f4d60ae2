#include "fake_workers/sound_worker.hpp"

#include <array>

#include <nlohmann/json.hpp>

#include "fake_workers/reply.hpp"
#include "harness/base/json_node.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSleepMaxMs = 600'000;
constexpr std::int64_t kComputeMax = 5'000'000;
constexpr std::int64_t kGrowMax = 1'000'000'000;

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Answer answer_of(bool success, std::string body) {
  Answer answer;
  answer.success = success;
  answer.body = std::move(body);
  return answer;
}

Answer error(const std::string& message) {
  return answer_of(false, json_text(message));
}

Answer refusal(const std::string& problem, RpcError code) {
  Answer answer = error(problem);
  answer.code = code;
  answer.refused = true;
  return answer;
}

Answer echo(const Request& request) {
  Answer answer = answer_of(true, request.args ? dump(*request.args) : request.terse_args);
  answer.echoes = true;
  return answer;
}

Answer bad_number(const std::string& key, std::int64_t max) {
  return error("bad args: " + key + " must be a whole number from 0 to " + std::to_string(max));
}

std::optional<std::int64_t> number_arg(const Json& args, const char* key, std::int64_t max) {
  const auto found = args.find(key);
  return found == args.end() ? std::nullopt : whole_within(*found, 0, max);
}

Answer sleep(const Json& args) {
  const auto ms = number_arg(args, "ms", kSleepMaxMs);
  if (!ms) return bad_number("ms", kSleepMaxMs);
  Answer answer = answer_of(true, R"({"slept_ms":)" + std::to_string(*ms) + "}");
  answer.pause = std::chrono::milliseconds(*ms);
  return answer;
}

Answer compute(const Json& args) {
  const auto n = number_arg(args, "n", kComputeMax);
  if (!n) return bad_number("n", kComputeMax);
  Answer answer;
  answer.compute_below = static_cast<std::uint32_t>(*n);
  return answer;
}

Answer fail(const Json& args) {
  const auto message = args.find("message");
  if (message == args.end()) return error("failed on request");
  if (!message->is_string()) return error("bad args: message must be a text");
  return error(message->get<std::string>());
}

bool has_text(const Json& args, const char* key) {
  const auto found = args.find(key);
  return found != args.end() && found->is_string();
}

bool names_entry(const Json& args) {
  return has_text(args, "session") && has_text(args, "key");
}

std::pair<std::string, std::string> entry(const Json& args) {
  return {args.at("session").get<std::string>(), args.at("key").get<std::string>()};
}

/// The commands, listed as the tools of an MCP server.
std::string tools_text() {
  struct Tool {
    const char* name;
    const char* description;
  };
  constexpr std::array<Tool, 9> kTools{
      Tool{"echo", "gives its arguments back"},
      Tool{"sleep", "sleeps for `ms` milliseconds"},
      Tool{"compute", "counts the primes below `n`"},
      Tool{"grow", "keeps `bytes` more bytes of memory"},
      Tool{"fail", "fails with `message`"},
      Tool{"session_put", "keeps `value` as `key` of `session`"},
      Tool{"session_get", "gives what was kept as `key` of `session`"},
      Tool{"stats", "counts calls and errors"},
      Tool{"shutdown", "leaves behind its answer"},
  };
  Json tools = Json::array();
  for (const Tool& tool : kTools) {
    tools.push_back({{"name", tool.name},
                     {"description", tool.description},
                     {"inputSchema", {{"type", "object"}}}});
  }
  return dump({{"tools", std::move(tools)}});
}

bool is_prime(std::uint32_t number) {
  for (std::uint32_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace

void SoundWorker::begin(std::string_view worker_id, wire::Speech speech) {
  worker_id_ = worker_id;
  speech_ = speech;
  stored_.clear();
  calls_ = errors_ = grown_bytes_ = 0;
}

Answer SoundWorker::answer(const Request& request) {
  const bool wrong = !request.problem.empty();
  Answer answer = wrong ? refusal(request.problem, request.code) : obey(request);
  if (wrong || (*request.command != "ping" && *request.command != "initialize")) ++calls_;
  if (!answer.success) ++errors_;
  return answer;
}

Answer SoundWorker::refuse_length(std::size_t payload_bytes, bool was_error) {
  if (!was_error) ++errors_;
  return error("reply too long: " + std::to_string(payload_bytes) + " bytes");
}

Answer SoundWorker::computed(std::uint32_t primes) {
  return answer_of(true, R"({"primes":)" + std::to_string(primes) + "}");
}

/// Answers a method that servers of that speech have besides the commands; nothing: it is no such
/// one.
std::optional<Answer> SoundWorker::obey_method(const Request& request) const {
  const std::string& method = *request.command;
  const std::string server =
      R"("serverInfo":{"name":"poolproof fake worker )" + worker_id_ + R"(","version":"1"}})";
  if (speech_ == wire::Speech::lsp && method == "initialize")
    return answer_of(true, R"({"capabilities":{},)" + server);
  if (speech_ == wire::Speech::lsp && method == "shutdown") return answer_of(true, "null");
  if (speech_ != wire::Speech::mcp || request.tool_call) return std::nullopt;
  if (method == "initialize") {
    return answer_of(true,
                     R"({"capabilities":{"tools":{}},"protocolVersion":"2025-06-18",)" + server);
  }
  if (method == "ping") return answer_of(true, "{}");
  if (method == "tools/list") return answer_of(true, tools_text());
  return refusal("Method not found: " + method, RpcError::method_not_found);
}

Answer SoundWorker::obey(const Request& request) {
  if (auto answer = obey_method(request)) return *std::move(answer);
  const std::string& command = *request.command;
  if (command == "ping") {
    return answer_of(true, R"({"status":"ok","worker_id":)" + json_text(worker_id_) + "}");
  }
  if (command == "echo") return echo(request);
  if (command == "sleep") return sleep(*request.args);
  if (command == "compute") return compute(*request.args);
  if (command == "grow") return grow(*request.args);
  if (command == "session_put") return put(*request.args);
  if (command == "session_get") return get(*request.args);
  if (command == "fail") return fail(*request.args);
  if (command == "stats") {
    return answer_of(true, R"({"calls":)" + std::to_string(calls_) + R"(,"errors":)" +
                               std::to_string(errors_) + "}");
  }
  if (command == "shutdown") return answer_of(true, R"({"status":"shutting_down"})");
  return refusal("Unknown command: " + command,
                 request.tool_call ? RpcError::invalid_params : RpcError::method_not_found);
}

Answer SoundWorker::grow(const Json& args) {
  const auto bytes = number_arg(args, "bytes", kGrowMax);
  if (!bytes) return bad_number("bytes", kGrowMax);
  grown_bytes_ += static_cast<std::uint64_t>(*bytes);
  Answer answer = answer_of(true, R"({"grown_bytes":)" + std::to_string(grown_bytes_) + "}");
  answer.grow_bytes = static_cast<std::uint64_t>(*bytes);
  return answer;
}

Answer SoundWorker::put(const Json& args) {
  if (!names_entry(args) || !args.contains("value")) {
    return error("bad args: session and key must be texts, and a value must be there");
  }
  stored_[entry(args)] = dump(args.at("value"));
  return answer_of(true, R"({"stored":true})");
}

Answer SoundWorker::get(const Json& args) const {
  if (!names_entry(args)) return error("bad args: session and key must be texts");
  const auto found = stored_.find(entry(args));
  const bool stored = found != stored_.end();
  const std::string value = stored ? found->second : "null";
  return answer_of(
      true, std::string("{\"found\":") + (stored ? "true" : "false") + ",\"value\":" + value + "}");
}

bool PrimeCount::run(std::uint32_t numbers) {
  for (; numbers > 0 && next_ < below_; --numbers, ++next_) {
    if (is_prime(next_)) ++found_;
  }
  return next_ >= below_;
}

}  // namespace poolproof::faults

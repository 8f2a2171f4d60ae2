#include <concepts>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/signals.hpp"
#include "harness/scenario/scenario_json.hpp"

/// A step as JSON, read and written by one list of the fields of each kind of step.
namespace poolproof::scenario {
namespace {

constexpr std::uint32_t kPadBytesMax = 64U << 20U;
constexpr std::array<std::string_view, 2> kClientMoments{"begun", "ended"};

/// What a field's value may be.
struct Rule {
  std::string_view why = {};  ///< the error if the key is missing; empty: the key may be missing
  /// The error if the text is empty; empty: the text may be empty
  std::string_view instead_of_empty = {};
  std::uint32_t max = UINT32_MAX;
  std::span<const std::string_view> names = {};
  bool needed = true;        ///< for a text: it must be there
  std::uint32_t unsaid = 0;  ///< a number with this value is not written
};

// ---- the fields, in the order of the schema -----------------------------------------------------

template <class Value, class... Types>
concept OneOf = (std::same_as<std::remove_const_t<Value>, Types> || ...);

void fields(auto& /*field*/, OneOf<Checkin, Throw, Renew, Suspend, Resume> auto& /*step*/) {}
void fields(auto& field, OneOf<Close> auto& step) {
  field("timeout_ms", step.timeout);
}
void session_fields(auto& field, auto& session) {
  field("session", session.name, {.instead_of_empty = "a name, or no session", .needed = false});
  field("affinity", session.affinity, {.names = pool::kAffinityNames});
  field("when_busy", session.when_busy, {.names = pool::kWhenBusyNames});
}
void fields(auto& field, OneOf<Checkout> auto& step) {
  field("timeout_ms", step.timeout);
  session_fields(field, step.session);
}
void fields(auto& field, OneOf<Execute> auto& step) {
  session_fields(field, step.session);
  field("command", step.command,
        {.why = "what the worker shall do, as \"echo\"",
         .instead_of_empty = "a command, as \"echo\""});
  field("args", step.args);
  field("timeout_ms", step.timeout);
  field("try_timeout_ms", step.try_timeout);
  field("retry", step.retry, {.names = pool::kRetryNames});
  field("retries_max", step.retries_max,
        {.max = 100, .unsaid = pool::ExecuteOptions{}.retries_max});
  field("pad_bytes", step.pad_bytes, {.max = kPadBytesMax});
  field("reply", step.reply);
}
void fields(auto& field, OneOf<EndSession> auto& step) {
  field("session", step.session,
        {.why = "which session", .instead_of_empty = "the name of a session"});
}
void fields(auto& field, OneOf<Call> auto& step) {
  field("command", step.command,
        {.why = "what the worker shall do, as \"echo\"",
         .instead_of_empty = "a command, as \"echo\""});
  field("args", step.args);
  field("timeout_ms", step.timeout);
  field("pad_bytes", step.pad_bytes, {.max = kPadBytesMax});
  field("reply", step.reply);
}
void fields(auto& field, OneOf<CallBytes> auto& step) {
  field("text", step.text,
        {.why = "the bytes of the request",
         .instead_of_empty = "at least one byte: no frame is empty"});
  field("timeout_ms", step.timeout);
  field("reply", step.reply);
}
void fields(auto& field, OneOf<AwaitClient> auto& step) {
  field("client", step.client, {.why = "whose step"});
  field("step", step.step, {.why = "which step, counted from 0"});
  field("moment", step.ended, {.why = "\"begun\" or \"ended\"", .names = kClientMoments});
}
void fields(auto& field, OneOf<AwaitWorker> auto& step) {
  field("worker", step.worker);
  field("moment", step.moment,
        {.why = "started, ready, idle or exited", .names = kWorkerMomentNames});
}
void fields(auto& field, OneOf<AwaitFault> auto& step) {
  field("fault", step.fault, {.why = "the name of a fault"});
}
void fields(auto& field, OneOf<Pause> auto& step) {
  field("span_ms", step.span, {.why = "how long"});
}
void fields(auto& field, OneOf<Cancel> auto& step) {
  field("client", step.client, {.why = "whose checkout or call"});
}
void fields(auto& field, OneOf<WorkerId> auto& worker) {
  field("slot", worker.slot, {.why = "which place of the pool, counted from 0"});
  field("generation", worker.generation, {.why = "which process in it, counted from 0"});
}
void fields(auto& field, OneOf<SignalWorker> auto& step) {
  fields(field, step.worker);
  field("signal", step.signal, {.why = "its name or number, as \"KILL\""});
}

// ---- reading and writing ------------------------------------------------------------------------

struct KeyList {
  void operator()(std::string_view key, const auto& /*value*/, const Rule& /*rule*/ = {}) {
    keys.push_back(key);
  }
  std::vector<std::string_view> keys;
};

/// Reads all the fields of a `Value`, and refuses any other key.
template <class Value>
Value read_whole(const JsonNode& node);

struct Reader {
  void operator()(std::string_view key, std::string& into, const Rule& rule) const {
    const auto value = rule.needed ? node.need(key, rule.why) : node.find(key);
    if (value) into = value->text();
    if (!value && !rule.needed) return;
    if (into.empty() && !rule.instead_of_empty.empty()) {
      node.wrong(fmt::format("\"{}\" is empty", key), std::string(rule.instead_of_empty));
    }
  }
  void operator()(std::string_view key, std::uint32_t& into, const Rule& rule) const {
    const auto value = rule.why.empty() ? node.find(key) : node.need(key, rule.why);
    if (value) into = static_cast<std::uint32_t>(value->whole(0, rule.max));
  }
  void operator()(std::string_view key, Duration& into, const Rule& rule) const {
    if (const auto value = node.need(key, rule.why)) into = value->span();
  }
  void operator()(std::string_view key, std::optional<Duration>& into) const {
    if (const auto value = node.find(key)) into = value->span();
  }
  void operator()(std::string_view key, OneOf<bool, WorkerMoment> auto& into,
                  const Rule& rule) const {
    const auto value = node.need(key, rule.why);
    if (value)
      into = static_cast<std::remove_reference_t<decltype(into)>>(value->choice(rule.names));
  }
  /// Reads a word that has a default.
  template <OneOf<pool::Affinity, pool::WhenBusy, pool::Retry> Choice>
  void operator()(std::string_view key, Choice& into, const Rule& rule) const {
    const auto value = node.find(key);
    if (value) into = static_cast<Choice>(value->choice(rule.names));
  }
  void operator()(std::string_view key, WorkerId& into) const {
    if (const auto value = node.find(key)) into = read_whole<WorkerId>(*value);
  }
  /// Reads a signal, by its number or its name.
  void operator()(std::string_view key, int& into, const Rule& rule) const {
    const auto value = node.need(key, rule.why);
    if (!value) return;
    into = value->is_text() ? kSignalNumbers[value->choice(kSignalNames)]
                            : static_cast<int>(value->whole(1, kSignalMax));
  }
  /// Reads the arguments of a call.
  void operator()(std::string_view key, Args& into) const {
    const auto args = node.find(key);
    if (!args) return;
    if (!args->is_object()) args->not_a("an object");
    for (const std::string_view ours : {"nonce", "pad"}) {
      if (args->find(ours)) {
        args->wrong(fmt::format("has the key \"{}\"", ours), "another one: the harness sets it");
      }
    }
    into = std::make_shared<const nlohmann::json>(args->json());
  }
  void operator()(std::string_view key, std::optional<Args>& into) const {
    if (node.find(key)) (*this)(key, into.emplace(no_args()));
  }
  void operator()(std::string_view key, std::optional<std::string>& into) const {
    const auto value = node.find(key);
    if (!value) return;
    into = value->text();
    if (into->empty()) value->wrong("is empty", "at least one byte: no frame is empty");
  }

  const JsonNode& node;
};

struct Writer {
  void operator()(std::string_view key, const std::string& text, const Rule& rule) const {
    if (rule.needed || !text.empty()) json[key] = text;
  }
  void operator()(std::string_view key, std::uint32_t number, const Rule& rule) const {
    if (number != rule.unsaid || !rule.why.empty()) json[key] = number;
  }
  void operator()(std::string_view key, Duration span, const Rule& /*rule*/) const {
    json[key] = to_ms(span);
  }
  void operator()(std::string_view key, const std::optional<Duration>& span) const {
    if (span) json[key] = to_ms(*span);
  }
  void operator()(std::string_view key, OneOf<bool, WorkerMoment> auto value,
                  const Rule& rule) const {
    json[key] = rule.names[static_cast<std::size_t>(value)];
  }
  void operator()(std::string_view key, pool::Affinity value, const Rule& /*rule*/) const {
    if (value != SessionSpec{}.affinity) json[key] = name(value);
  }
  void operator()(std::string_view key, pool::WhenBusy value, const Rule& /*rule*/) const {
    if (value != SessionSpec{}.when_busy) json[key] = name(value);
  }
  void operator()(std::string_view key, pool::Retry value, const Rule& /*rule*/) const {
    if (value != Execute{}.retry) json[key] = name(value);
  }
  void operator()(std::string_view key, const WorkerId& worker) const {
    json[key] = write_worker_id(worker);
  }
  void operator()(std::string_view key, int signal, const Rule& /*rule*/) const {
    const auto* const known = std::ranges::find(kSignalNumbers, signal);
    if (known == kSignalNumbers.end()) {
      json[key] = signal;
    } else {
      json[key] = kSignalNames[static_cast<std::size_t>(known - kSignalNumbers.begin())];
    }
  }
  void operator()(std::string_view key, const Args& args) const {
    if (!args->empty()) json[key] = *args;
  }
  void operator()(std::string_view key, const std::optional<Args>& args) const {
    if (args) json[key] = **args;
  }
  void operator()(std::string_view key, const std::optional<std::string>& text) const {
    if (text) json[key] = *text;
  }

  OrderedJson& json;
};

template <class Value>
Value read_whole(const JsonNode& node) {
  Value value;
  KeyList list;
  fields(list, value);
  Reader reader{node};
  if (node.object(list.keys)) fields(reader, value);
  return value;
}

template <class Value>
OrderedJson write_whole(const Value& value) {
  OrderedJson json = OrderedJson::object();
  Writer writer{json};
  fields(writer, value);
  return json;
}

template <class Kind>
Step read_as(const JsonNode& node) {
  return read_whole<Kind>(node);
}

Step read_await(const JsonNode& node) {
  static constexpr std::array<std::string_view, 5> kKeys{"client", "step", "worker", "moment",
                                                         "fault"};
  if (node.find("client")) return read_whole<AwaitClient>(node);
  if (node.find("worker")) return read_whole<AwaitWorker>(node);
  if (node.object(kKeys) && !node.find("fault")) {
    node.wrong("says not what for", "a client, a worker or a fault");
  }
  return read_whole<AwaitFault>(node);
}

/// The reader of each kind of step, indexed by StepKind.
constexpr std::array<Step (*)(const JsonNode&), kStepKindNames.size()> kReaders{
    read_as<Checkout>, read_as<Call>,         read_as<CallBytes>,  read_as<Checkin>,
    read_as<Throw>,    read_as<Execute>,      read_await,          read_as<Pause>,
    read_as<Cancel>,   read_as<SignalWorker>, read_as<EndSession>, read_as<Close>,
    read_as<Renew>,    read_as<Suspend>,      read_as<Resume>};

}  // namespace

WorkerId read_worker_id(const JsonNode& node) {
  WorkerId worker;
  Reader reader{node};
  fields(reader, worker);
  return worker;
}

OrderedJson write_worker_id(const WorkerId& worker) {
  return write_whole(worker);
}

Step read_step(const JsonNode& node) {
  const auto key = node.only_key(kStepKindNames, "step");
  if (!key) return Checkin{};
  const auto kind = named<StepKind>(kStepKindNames, *key);
  return kReaders[static_cast<std::size_t>(*kind)](*node.find(*key));
}

OrderedJson write_step(const Step& step) {
  return {{name(kind(step)), std::visit([](const auto& one) { return write_whole(one); }, step)}};
}

}  // namespace poolproof::scenario

#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "harness/scenario/generate.hpp"
#include "harness/scenario/generate_parts.hpp"

namespace poolproof::scenario {
namespace {

constexpr std::size_t kClientsMax = 5;
constexpr std::array<std::string_view, kClientsMax> kNames{"a", "b", "c", "d", "e"};
constexpr std::array<std::string_view, kClientsMax> kStreams{"client.1", "client.2", "client.3",
                                                             "client.4", "client.5"};
/// Whoever is done later than this in the worst case is not waited for: the one who waits has to be
/// done in time, too.
constexpr Duration kAwaitableMax = 12s;

using Args = std::shared_ptr<const nlohmann::json>;

struct Command {
  std::string_view name;
  Args args;
};

/// What clients ask for. Not `shutdown`, but for a theme of its own.
const std::array<Weighted<Command>, 15>& commands() {
  using Json = nlohmann::json;
  const auto args = [](Json object) { return std::make_shared<const Json>(std::move(object)); };
  const auto entry = [&args](Json more) {
    Json object{{"session", "s"}, {"key", "k"}};
    object.update(more);
    return args(object);
  };
  static const std::array<Weighted<Command>, 15> all{{
      {{"echo", args(Json::object())}, 40},
      {{"echo", args({{"n", 1}})}, 10},
      {{"sleep", args({{"ms", 10}})}, 2},
      {{"sleep", args({{"ms", 1}})}, 2},
      {{"sleep", args({{"ms", 100}})}, 2},
      {{"sleep", args({{"ms", 300}})}, 2},
      {{"sleep", args({{"ms", 1000}})}, 2},
      {{"compute", args({{"n", 100}})}, 2},
      {{"session_put", entry({{"value", 1}})}, 2},
      {{"session_get", entry(Json::object())}, 2},
      {{"fail", args({{"message", "no"}})}, 2},
      {{"stats", args(Json::object())}, 2},
      {{"ping", args(Json::object())}, 1},
      {{"no_such_command", args(Json::object())}, 1},
      {{"compute", args({{"n", "many"}})}, 1},
  }};
  return all;
}

/// What takes its time, so that others queue, time out, cancel and close meanwhile.
const std::array<Weighted<Command>, 6>& slow_commands() {
  const auto sleep = [](int ms) {
    return Command{"sleep", std::make_shared<const nlohmann::json>(nlohmann::json{{"ms", ms}})};
  };
  static const std::array<Weighted<Command>, 6> all{{
      {{"echo", std::make_shared<const nlohmann::json>(nlohmann::json::object())}, 2},
      {sleep(10), 2},
      {sleep(50), 1},
      {sleep(100), 2},
      {sleep(300), 3},
      {sleep(1000), 1},
  }};
  return all;
}

/// What makes a worker leave because its client says so.
const Command& farewell() {
  static const Command command{"shutdown",
                               std::make_shared<const nlohmann::json>(nlohmann::json::object())};
  return command;
}

constexpr std::array<Weighted<std::uint32_t>, 4> kPads{{{0, 40}, {10, 2}, {300, 2}, {2000, 1}}};
/// More than a page of a pipe, more than a pipe holds.
constexpr std::array<Weighted<std::uint32_t>, 4> kLargePads{
    {{5000, 4}, {20'000, 3}, {60'000, 1}, {70'000, 2}}};
constexpr std::array<std::string_view, 4> kBytes{"hello", "x", "{}", "{\"id\": 1}"};
/// A frame that a pad may fill to the last byte; what stands in it around the pad, and how much
/// more it may be.
constexpr std::size_t kSmallFrame = 1000;
constexpr std::size_t kAroundPad = 102;
constexpr std::uint32_t kAroundPadVaries = 10;

/// For those who hardly wait.
constexpr std::array<std::int64_t, 4> kShortMs{10, 1, 50, 100};
constexpr std::array<Weighted<int>, 5> kSignals{{{9, 3}, {15, 2}, {19, 2}, {18, 1}, {11, 1}}};

enum class Limit : std::uint8_t { of_the_pool, drawn, none };
constexpr std::array<Weighted<Limit>, 3> kLimits{
    {{Limit::of_the_pool, 7}, {Limit::drawn, 6}, {Limit::none, 1}}};

enum class Ending : std::uint8_t { checkin, exception, nothing, twice, call_after, close };
constexpr std::array<Weighted<Ending>, 6> kEndings{{{Ending::checkin, 24},
                                                    {Ending::exception, 4},
                                                    {Ending::nothing, 4},
                                                    {Ending::twice, 3},
                                                    {Ending::call_after, 3},
                                                    {Ending::close, 1}}};

constexpr std::array<Weighted<std::uint32_t>, 5> kClientCounts{
    {{1, 3}, {2, 5}, {3, 5}, {4, 2}, {5, 1}}};
/// Where one alone would show nothing.
constexpr std::array<Weighted<std::uint32_t>, 4> kCrowds{{{2, 4}, {3, 4}, {4, 2}, {5, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kCounts{{{1, 10}, {2, 1}, {3, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kRounds{{{1, 5}, {2, 3}, {3, 2}}};
constexpr std::array<Weighted<std::uint32_t>, 4> kCalls{{{1, 6}, {0, 1}, {2, 2}, {3, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 4> kManyCalls{{{3, 3}, {2, 2}, {4, 2}, {1, 2}}};

/// Writes one client's steps, and keeps account of how long they can take at most.
class Body {
 public:
  /// `ends`: when each of the clients before it is done at the latest.
  Body(Choices& choices, Themes themes, std::uint32_t large_pad, Scenario& scenario,
       std::span<const Duration> ends)
      : choices_(choices),
        themes_(themes),
        large_pad_(large_pad),
        scenario_(scenario),
        ends_(ends),
        client_(scenario.clients[ends.size()]) {}

  void write();
  /// At the latest.
  [[nodiscard]] Duration end() const { return start_ + spent_ * client_.repeat; }

 private:
  [[nodiscard]] bool has(Theme theme) const { return themes_.has(theme); }
  /// Whether calls had better take their time.
  [[nodiscard]] bool lingers() const {
    return has(Theme::deaf_workers) || has(Theme::closing) || has(Theme::queueing);
  }

  void begin_after();
  void close_amidst();
  void round();
  void begin_round();
  void strike_early();
  void call();
  const Command& command();
  std::uint32_t pad();
  std::optional<Duration> checkout_limit();
  std::optional<Duration> call_limit();
  void finish();
  void perhaps_arrange(std::uint32_t one_in);
  void signal(int signal, std::uint32_t generation);
  void cancel();
  void await();

  /// A time from the palette, if there is time for it.
  Duration span() { return spend(std::chrono::milliseconds(pick(choices_, kPaletteMs))); }
  std::optional<Duration> limit(Duration of_the_pool);
  Duration spend(Duration span);
  [[nodiscard]] bool fits(Duration span) const {
    return start_ + (spent_ + span) * client_.repeat <= kStormMax;
  }

  Choices& choices_;
  Themes themes_;
  std::uint32_t large_pad_;  ///< 0: none
  Scenario& scenario_;
  std::span<const Duration> ends_;
  Client& client_;
  bool said_farewell_ = false;  ///< in this lease
  Duration start_{};
  Duration spent_{};  ///< in each repetition
};

void Body::write() {
  client_.steps.reserve(12);
  const bool last = ends_.size() + 1 == scenario_.clients.size();
  if (has(Theme::closing) && last && !ends_.empty()) return close_amidst();
  begin_after();
  if (has(Theme::signals) && choices_.one_in(2)) strike_early();
  const std::uint32_t rounds = pick(choices_, kRounds);
  for (std::uint32_t i = 0; i < rounds; ++i) round();
}

/// One who closes while the others are at it.
void Body::close_amidst() {
  const Duration until = std::chrono::milliseconds(pick(choices_, kShortMs));
  client_.steps.emplace_back(Pause{spend(until)});
  if (has(Theme::signals) && choices_.one_in(2)) strike_early();
  client_.steps.emplace_back(Close{limit(scenario_.pool.close_timeout)});
  perhaps_arrange(2);
}

/// TERM from outside as soon as there is somebody whom it can reach.
void Body::strike_early() {
  client_.steps.emplace_back(Pause{span()});
  signal(15, 0);
}

void Body::begin_after() {
  if (ends_.empty() || !choices_.one_in(6)) return;
  const std::uint32_t before = pick_index(choices_, ends_.size());
  std::string name = pick_single(choices_, scenario_.clients[before]);
  if (ends_[before] > kAwaitableMax) return;
  client_.after = std::move(name);
  start_ = ends_[before];
}

void Body::round() {
  begin_round();
  client_.steps.emplace_back(Checkout{checkout_limit()});
  const std::uint32_t calls = lingers() ? pick(choices_, kManyCalls) : pick(choices_, kCalls);
  said_farewell_ = false;
  for (std::uint32_t i = 0; i < calls && !said_farewell_; ++i) {
    perhaps_arrange(8);
    call();
  }
  if (has(Theme::deaf_workers) && choices_.one_in(2)) {
    client_.steps.emplace_back(Pause{span()});
  } else {
    perhaps_arrange(8);
  }
  finish();
}

void Body::begin_round() {
  if (has(Theme::idle_moments) && choices_.one_in(2)) {
    client_.steps.emplace_back(Pause{span()});
    if (choices_.one_in(4)) signal(pick(choices_, kSignals), 0);
    return;
  }
  perhaps_arrange(has(Theme::queueing) ? 3 : 4);
}

void Body::call() {
  if (scenario_.pool.opaque) {
    const std::string_view bytes = pick(choices_, kBytes);
    client_.steps.emplace_back(CallBytes{std::string(bytes), call_limit()});
    return;
  }
  const Command& asked = command();
  const std::uint32_t padding = pad();
  const auto timeout = call_limit();
  client_.steps.emplace_back(Call{std::string(asked.name), asked.args, timeout, padding});
}

const Command& Body::command() {
  if (has(Theme::farewells) && choices_.one_in(3)) {
    said_farewell_ = true;
    return farewell();
  }
  if (lingers() && choices_.one_in(2)) return pick(choices_, slow_commands());
  return pick(choices_, commands());
}

std::uint32_t Body::pad() {
  if (large_pad_ > 0 && choices_.one_in(3)) return large_pad_;
  const std::size_t limit = scenario_.pool.framing.payload_limit();
  if (limit <= kSmallFrame && choices_.one_in(3)) {
    return static_cast<std::uint32_t>(limit - kAroundPad) + choices_.below(kAroundPadVaries);
  }
  return pick(choices_, kPads);
}

std::optional<Duration> Body::checkout_limit() {
  if (has(Theme::photo_finish) && choices_.one_in(2)) {
    return spend(std::chrono::milliseconds(1 + choices_.below(5)));
  }
  return limit(scenario_.pool.checkout_timeout);
}

std::optional<Duration> Body::call_limit() {
  if (has(Theme::deaf_workers) && choices_.one_in(2)) {
    return spend(std::chrono::milliseconds(pick(choices_, kShortMs)));
  }
  return limit(scenario_.pool.call_timeout);
}

void Body::finish() {
  // Nobody can hold it against the worker that it serves no more: it is thrown away.
  if (said_farewell_) {
    client_.steps.emplace_back(Throw{});
    return;
  }
  switch (pick(choices_, kEndings)) {
    case Ending::nothing:
      return;
    case Ending::exception:
      client_.steps.emplace_back(Throw{});
      return;
    case Ending::close:
      client_.steps.emplace_back(Close{limit(scenario_.pool.close_timeout)});
      return;
    case Ending::checkin:
      client_.steps.emplace_back(Checkin{});
      return;
    case Ending::twice:
      client_.steps.emplace_back(Checkin{});
      client_.steps.emplace_back(Checkin{});
      return;
    case Ending::call_after:
      client_.steps.emplace_back(Checkin{});
      call();
      return;
  }
}

/// A step without an outcome: a pause, a signal from outside, a cancellation or a wait for another.
void Body::perhaps_arrange(std::uint32_t one_in) {
  if (!choices_.one_in(one_in)) return;
  const bool others = scenario_.clients.size() > 1;
  const std::array<std::uint32_t, 4> weights{4, 3, others ? 3U : 0U, ends_.empty() ? 0U : 3U};
  switch (choices_.weighted(weights)) {
    case 0:
      client_.steps.emplace_back(Pause{span()});
      return;
    case 1: {
      const std::uint32_t generation = choices_.one_in(4) ? 1 : 0;
      signal(pick(choices_, kSignals), generation);
      return;
    }
    case 2:
      cancel();
      return;
    default:
      await();
      return;
  }
}

void Body::signal(int signal, std::uint32_t generation) {
  const std::uint32_t slot = pick_index(choices_, scenario_.pool.core.size);
  client_.steps.emplace_back(SignalWorker{{slot, generation}, signal});
}

void Body::cancel() {
  std::uint32_t other = pick_index(choices_, scenario_.clients.size() - 1);
  if (other >= ends_.size()) ++other;
  client_.steps.emplace_back(Cancel{pick_single(choices_, scenario_.clients[other])});
}

/// Only of clients before it, so that no waits form a circle.
void Body::await() {
  const std::uint32_t before = pick_index(choices_, ends_.size());
  const Client& other = scenario_.clients[before];
  const std::uint32_t step = pick_index(choices_, other.steps.size());
  const bool ended = !choices_.one_in(3);
  std::string name = pick_single(choices_, other);
  if (ends_[before] > kAwaitableMax) return;
  const Duration late = std::max(start_, ends_[before]);
  if (late + spent_ * client_.repeat > kStormMax) return;
  start_ = late;
  client_.steps.emplace_back(AwaitClient{std::move(name), step, ended});
}

std::optional<Duration> Body::limit(Duration of_the_pool) {
  const Limit kind = pick(choices_, kLimits);
  if (kind == Limit::none) return Duration{0};
  if (kind == Limit::drawn) return span();
  if (!fits(of_the_pool)) return Duration{0};
  spend(of_the_pool);
  return std::nullopt;
}

Duration Body::spend(Duration span) {
  const Duration spent = fits(span) ? span : Duration{0};
  spent_ += spent;
  return spent;
}

/// Who there is, before anybody says what they do: they speak of one another.
void add_heads(ChoiceBook& book, Themes themes, Scenario& scenario) {
  const bool crowd =
      themes.has(Theme::closing) || themes.has(Theme::queueing) || themes.has(Theme::deaf_workers);
  Choices& choice = book.stream("clients");
  const std::uint32_t clients = crowd ? pick(choice, kCrowds) : pick(choice, kClientCounts);
  bool repeated = false;
  scenario.clients.reserve(clients + 1);
  for (std::size_t i = 0; i < clients; ++i) {
    Choices& choices = book.stream(kStreams[i]);
    Client& client = scenario.clients.emplace_back();
    client.name = kNames[i];
    client.count = pick(choices, kCounts);
    // Only the first repetition of a client can be awaited, and only one client be `after`: of two
    // repeated ones nobody could wait for the end.
    if (client.count == 1 && !repeated) client.repeat = pick(choices, kCounts);
    repeated = repeated || client.repeat > 1;
  }
}

}  // namespace

void generate_clients(ChoiceBook& book, Themes themes, Scenario& scenario) {
  add_heads(book, themes, scenario);
  const bool large = themes.has(Theme::large_frames) && !scenario.pool.opaque;
  const std::uint32_t large_pad = large ? pick(book.stream("clients"), kLargePads) : 0;
  std::array<Duration, kClientsMax> ends{};
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    Body body(book.stream(kStreams[i]), themes, large_pad, scenario, std::span(ends).first(i));
    body.write();
    ends[i] = body.end();
  }
}

}  // namespace poolproof::scenario

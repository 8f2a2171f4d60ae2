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
/// A client that may be done later than this is not waited for, because the client that waits has
/// to be done in time, too.
constexpr Duration kAwaitableMax = 12s;

struct Command {
  std::string_view name;
  Args args = no_args();
};

Args args_of(nlohmann::json object) {
  return std::make_shared<const nlohmann::json>(std::move(object));
}

Command sleep(int ms) {
  return {"sleep", args_of({{"ms", ms}})};
}

/// The commands that clients send. `shutdown` is not one of them: it has a feature of its own.
const std::array<Weighted<Command>, 16>& commands() {
  static const std::array<Weighted<Command>, 16> all{{
      {{"echo"}, 40},
      {{"echo", args_of({{"n", 1}})}, 10},
      {{"echo", args_of({{"s", "\u00fc"}})}, 6},
      {sleep(10), 2},
      {sleep(1), 2},
      {sleep(100), 2},
      {sleep(300), 2},
      {sleep(1000), 2},
      {{"compute", args_of({{"n", 100}})}, 2},
      {{"session_put", args_of({{"session", "s"}, {"key", "k"}, {"value", 1}})}, 2},
      {{"session_get", args_of({{"session", "s"}, {"key", "k"}})}, 2},
      {{"fail", args_of({{"message", "no"}})}, 2},
      {{"stats"}, 2},
      {{"ping"}, 1},
      {{"no_such_command"}, 1},
      {{"compute", args_of({{"n", "many"}})}, 1},
  }};
  return all;
}

/// Commands that take time, so that other clients queue, time out, cancel and close meanwhile.
const std::array<Weighted<Command>, 6>& slow_commands() {
  static const std::array<Weighted<Command>, 6> all{{
      {{"echo", args_of({{"s", "\u00fc"}})}, 2},
      {sleep(10), 2},
      {sleep(50), 1},
      {sleep(100), 2},
      {sleep(300), 3},
      {sleep(1000), 1},
  }};
  return all;
}

/// Commands for pools with a memory limit. Three of the first one, or one of the second, exceed the
/// larger of the two limits; a worker that has just started exceeds the smaller one.
const std::array<Weighted<Command>, 2>& growing_commands() {
  static const std::array<Weighted<Command>, 2> all{{
      {{"grow", args_of({{"bytes", 25'000'000}})}, 3},
      {{"grow", args_of({{"bytes", 70'000'000}})}, 1},
  }};
  return all;
}

constexpr std::array<Weighted<std::uint32_t>, 4> kPads{{{0, 40}, {10, 2}, {300, 2}, {2000, 1}}};
/// Pads larger than a page of a pipe, and larger than a whole pipe.
constexpr std::array<Weighted<std::uint32_t>, 4> kLargePads{
    {{5000, 4}, {20'000, 3}, {60'000, 1}, {70'000, 2}}};
constexpr std::array<std::string_view, 4> kBytes{"hello", "x", "{}", "{\"id\": 1}"};
/// Up to this limit a pad may fill a frame to the last byte; then what stands in the frame around
/// the pad, and by how much the pad varies.
constexpr std::size_t kSmallFrame = 1000;
constexpr std::size_t kAroundPad = 102;
constexpr std::uint32_t kAroundPadVaries = 10;

/// Time limits and pauses of clients that hardly wait.
constexpr std::array<std::int64_t, 4> kShortMs{10, 1, 50, 100};
constexpr std::array<Weighted<int>, 5> kSignals{{{9, 3}, {15, 2}, {19, 2}, {18, 1}, {11, 1}}};

enum class Limit : std::uint8_t { of_the_pool, drawn, none };
constexpr std::array<Weighted<Limit>, 3> kLimits{
    {{Limit::of_the_pool, 7}, {Limit::drawn, 6}, {Limit::none, 1}}};

constexpr std::array<std::string_view, 3> kSessions{"s", "t", "u"};
constexpr std::array<Weighted<pool::Affinity>, 3> kAffinities{
    {{pool::Affinity::strict, 6}, {pool::Affinity::prefer, 2}, {pool::Affinity::any, 1}}};
constexpr std::array<Weighted<pool::WhenBusy>, 2> kWhenBusy{
    {{pool::WhenBusy::wait, 3}, {pool::WhenBusy::fail, 1}}};
constexpr std::array<Weighted<pool::Retry>, 3> kRetries{
    {{pool::Retry::never, 2}, {pool::Retry::if_unread, 1}, {pool::Retry::idempotent, 2}}};

enum class Ending : std::uint8_t { checkin, exception, nothing, twice, call_after, close };
constexpr std::array<Weighted<Ending>, 6> kEndings{{{Ending::checkin, 24},
                                                    {Ending::exception, 4},
                                                    {Ending::nothing, 4},
                                                    {Ending::twice, 3},
                                                    {Ending::call_after, 3},
                                                    {Ending::close, 1}}};

constexpr std::array<Weighted<std::uint32_t>, 5> kClientCounts{
    {{1, 3}, {2, 5}, {3, 5}, {4, 2}, {5, 1}}};
/// Numbers of clients, for features of which a single client would show nothing.
constexpr std::array<Weighted<std::uint32_t>, 4> kCrowds{{{2, 4}, {3, 4}, {4, 2}, {5, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kCounts{{{1, 10}, {2, 1}, {3, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 3> kRounds{{{1, 5}, {2, 3}, {3, 2}}};
constexpr std::array<Weighted<std::uint32_t>, 4> kCalls{{{1, 6}, {0, 1}, {2, 2}, {3, 1}}};
constexpr std::array<Weighted<std::uint32_t>, 4> kManyCalls{{{3, 3}, {2, 2}, {4, 2}, {1, 2}}};

/// Writes one client's steps, and keeps account of how long they can take at most.
class ClientGenerator {
 public:
  /// `ends`: the latest time at which each of the clients before it is done.
  ClientGenerator(Choices& choices, Features features, std::uint32_t large_pad, Scenario& scenario,
                  std::span<const Duration> ends)
      : choices_(choices),
        features_(features),
        large_pad_(large_pad),
        scenario_(scenario),
        ends_(ends),
        client_(scenario.clients[ends.size()]) {}

  void write() {
    client_.steps.reserve(12);
    const bool last = ends_.size() + 1 == scenario_.clients.size();
    if (has(Feature::closing) && last && !ends_.empty()) return close_amidst();
    begin_after();
    if (has(Feature::signals) && choices_.one_in(2)) strike_early();
    const std::uint32_t rounds = pick(choices_, kRounds);
    for (std::uint32_t i = 0; i < rounds; ++i) round();
  }

  /// The latest time at which this client is done.
  [[nodiscard]] Duration end() const { return start_ + spent_ * client_.repeat; }

 private:
  [[nodiscard]] bool has(Feature feature) const { return features_.has(feature); }
  /// Whether half of the calls are to be slow ones.
  [[nodiscard]] bool lingers() const {
    return has(Feature::deaf_workers) || has(Feature::closing) || has(Feature::queueing);
  }

  void begin_after() {
    if (ends_.empty() || !choices_.one_in(6)) return;
    const std::uint32_t before = pick_index(choices_, ends_.size());
    std::string name = pick_single(choices_, scenario_.clients[before]);
    if (ends_[before] > kAwaitableMax) return;
    client_.after = std::move(name);
    start_ = ends_[before];
  }

  /// Writes the steps of a client that closes the pool while the others are at work.
  void close_amidst() {
    const Duration until = std::chrono::milliseconds(pick(choices_, kShortMs));
    client_.steps.emplace_back(Pause{spend(until)});
    if (has(Feature::signals) && choices_.one_in(2)) strike_early();
    client_.steps.emplace_back(Close{limit(scenario_.pool.close_timeout)});
    perhaps_arrange(2);
  }

  void round() {
    begin_round();
    const bool in_sessions = has(Feature::sessions) && choices_.one_in(2);
    if (in_sessions && choices_.one_in(6)) {
      client_.steps.emplace_back(EndSession{std::string(pick(choices_, kSessions))});
    }
    if (in_sessions && !scenario_.pool.opaque && choices_.one_in(2)) return execute();
    client_.steps.emplace_back(Checkout{checkout_limit(), in_sessions ? session() : SessionSpec{}});
    const std::uint32_t calls = lingers() ? pick(choices_, kManyCalls) : pick(choices_, kCalls);
    said_farewell_ = false;
    for (std::uint32_t i = 0; i < calls && !said_farewell_; ++i) {
      perhaps_arrange(8);
      call();
    }
    if (has(Feature::deaf_workers) && choices_.one_in(2)) {
      client_.steps.emplace_back(Pause{span()});
    } else {
      perhaps_arrange(8);
    }
    finish();
  }

  SessionSpec session() {
    const std::string_view name = pick(choices_, kSessions);
    const pool::Affinity affinity = pick(choices_, kAffinities);
    const pool::WhenBusy drawn = pick(choices_, kWhenBusy);
    const bool strict = affinity == pool::Affinity::strict;
    const pool::WhenBusy when_busy = strict ? drawn : pool::WhenBusy::wait;
    return {std::string(name), affinity, when_busy};
  }

  void execute() {
    const std::uint32_t times = 1 + choices_.below(3);
    for (std::uint32_t i = 0; i < times; ++i) {
      Execute step;
      // No `shutdown` here: an execution returns its worker as one that goes on serving.
      const bool slow = lingers() && choices_.one_in(2);
      const Command& asked = slow ? pick(choices_, slow_commands()) : pick(choices_, commands());
      step.command = asked.name;
      step.args = asked.args;
      step.pad_bytes = pad();
      if (!choices_.one_in(4)) step.session = session();
      step.retry = pick(choices_, kRetries);
      step.timeout = limit(scenario_.pool.checkout_timeout + scenario_.pool.call_timeout);
      if (choices_.one_in(3))
        step.try_timeout = std::chrono::milliseconds(pick(choices_, kShortMs));
      client_.steps.emplace_back(std::move(step));
    }
  }

  void begin_round() {
    if (has(Feature::idle_moments) && choices_.one_in(2)) {
      client_.steps.emplace_back(Pause{span()});
      if (choices_.one_in(4)) signal(pick(choices_, kSignals), 0);
      return;
    }
    perhaps_arrange(has(Feature::queueing) ? 3 : 4);
  }

  /// Writes a TERM from outside, at a time when a worker may just have started.
  void strike_early() {
    client_.steps.emplace_back(Pause{span()});
    signal(15, 0);
  }

  void call() {
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

  const Command& command() {
    // A language server does not leave at `shutdown`: it stays until it is told to exit as well.
    const bool leaves = scenario_.pool.speech != wire::Speech::lsp;
    if (has(Feature::farewells) && leaves && choices_.one_in(3)) {
      said_farewell_ = true;
      static const Command farewell{"shutdown"};
      return farewell;
    }
    if (scenario_.pool.core.max_rss_bytes > 1 && choices_.one_in(3)) {
      return pick(choices_, growing_commands());
    }
    if (lingers() && choices_.one_in(2)) return pick(choices_, slow_commands());
    return pick(choices_, commands());
  }

  std::uint32_t pad() {
    if (large_pad_ > 0 && choices_.one_in(3)) return large_pad_;
    const std::size_t limit = scenario_.pool.framing.payload_limit();
    if (limit <= kSmallFrame && choices_.one_in(3)) {
      return static_cast<std::uint32_t>(limit - kAroundPad) + choices_.below(kAroundPadVaries);
    }
    return pick(choices_, kPads);
  }

  std::optional<Duration> checkout_limit() {
    if (has(Feature::tight_deadlines) && choices_.one_in(2)) {
      return spend(std::chrono::milliseconds(1 + choices_.below(5)));
    }
    return limit(scenario_.pool.checkout_timeout);
  }

  std::optional<Duration> call_limit() {
    if (has(Feature::deaf_workers) && choices_.one_in(2)) {
      return spend(std::chrono::milliseconds(pick(choices_, kShortMs)));
    }
    return limit(scenario_.pool.call_timeout);
  }

  void finish() {
    // A worker that was asked to shut down is thrown away, because it need not serve any more.
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
      case Ending::twice:
        client_.steps.emplace_back(Checkin{});
        [[fallthrough]];
      case Ending::checkin:
        client_.steps.emplace_back(Checkin{});
        return;
      case Ending::call_after:
        client_.steps.emplace_back(Checkin{});
        call();
        return;
    }
  }

  /// Sometimes writes a step without an outcome: a pause, a signal from outside, a cancellation or
  /// a wait for another client.
  void perhaps_arrange(std::uint32_t one_in) {
    if (has(Feature::recycling) && choices_.one_in(4)) return manage();
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

  /// Writes what a user may ask of a pool that others are using: renew, suspend, resume...
  void manage() {
    if (choices_.one_in(3)) {
      client_.steps.emplace_back(Suspend{});
      client_.steps.emplace_back(Pause{span()});
      client_.steps.emplace_back(Resume{});
    } else {
      client_.steps.emplace_back(Renew{});
    }
  }

  void signal(int signal, std::uint32_t generation) {
    const std::uint32_t slot = pick_index(choices_, scenario_.pool.core.size);
    client_.steps.emplace_back(SignalWorker{{slot, generation}, signal});
  }

  void cancel() {
    std::uint32_t other = pick_index(choices_, scenario_.clients.size() - 1);
    if (other >= ends_.size()) ++other;
    client_.steps.emplace_back(Cancel{pick_single(choices_, scenario_.clients[other])});
  }

  /// Waits only for clients that come before this one, so that no waits form a circle.
  void await() {
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

  /// A time from the palette, as far as the client's time allows.
  Duration span() { return spend(std::chrono::milliseconds(pick(choices_, kPaletteMs))); }

  std::optional<Duration> limit(Duration of_the_pool) {
    const Limit kind = pick(choices_, kLimits);
    if (kind == Limit::none) return Duration{0};
    if (kind == Limit::drawn) return span();
    if (!fits(of_the_pool)) return Duration{0};
    spend(of_the_pool);
    return std::nullopt;
  }

  Duration spend(Duration span) {
    const Duration spent = fits(span) ? span : Duration{0};
    spent_ += spent;
    return spent;
  }

  [[nodiscard]] bool fits(Duration span) const {
    return start_ + (spent_ + span) * client_.repeat <= kStormMax;
  }

  Choices& choices_;
  Features features_;
  std::uint32_t large_pad_;  ///< the size of large pads; 0: there are none
  Scenario& scenario_;
  std::span<const Duration> ends_;
  Client& client_;
  bool said_farewell_ = false;  ///< in the present lease, the worker was asked to shut down
  Duration start_{};
  Duration spent_{};  ///< the time that one repetition takes at most
};

/// Adds the clients without their steps: steps name other clients, so all must be known before.
void add_clients_without_steps(ChoiceBook& book, Features features, Scenario& scenario) {
  const bool crowd = features.has(Feature::closing) || features.has(Feature::queueing) ||
                     features.has(Feature::deaf_workers);
  Choices& choice = book.stream("clients");
  const std::uint32_t clients = crowd ? pick(choice, kCrowds) : pick(choice, kClientCounts);
  bool repeated = false;
  scenario.clients.reserve(clients + 1);
  for (std::size_t i = 0; i < clients; ++i) {
    Choices& choices = book.stream(kStreams[i]);
    Client& client = scenario.clients.emplace_back();
    client.name = kNames[i];
    client.count = pick(choices, kCounts);
    // Others can wait only for the first repetition of a client, and a client can come `after` one
    // other client only: nobody could wait for the end of two repeated ones.
    if (client.count == 1 && !repeated) client.repeat = pick(choices, kCounts);
    repeated = repeated || client.repeat > 1;
  }
}

}  // namespace

void generate_clients(ChoiceBook& book, Features features, Scenario& scenario) {
  add_clients_without_steps(book, features, scenario);
  const bool large = features.has(Feature::large_frames) && !scenario.pool.opaque;
  const std::uint32_t large_pad = large ? pick(book.stream("clients"), kLargePads) : 0;
  std::array<Duration, kClientsMax> ends{};
  for (std::size_t i = 0; i < scenario.clients.size(); ++i) {
    ClientGenerator generator(book.stream(kStreams[i]), features, large_pad, scenario,
                              std::span(ends).first(i));
    generator.write();
    ends[i] = generator.end();
  }
}

}  // namespace poolproof::scenario

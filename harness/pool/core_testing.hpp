#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "harness/pool/core.hpp"

/// For tests only: a pool's effects as short text, and a script that plays the world by hand.
namespace poolproof::pool::testing {

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

/// "0.1": slot and generation.
inline std::string say(WorkerId worker) {
  return fmt::format("{}.{}", worker.slot, worker.generation);
}

/// Milliseconds since the world's zero, with a fraction only where there is one.
inline std::string say(Time time) {
  if (time == kNever) return "never";
  const auto count = time.time_since_epoch().count();
  if (count % 1000 == 0) return fmt::format("{}", count / 1000);
  return fmt::format("{:.3f}", static_cast<double>(count) / 1000.0);
}

inline std::string_view say(StopStep step) {
  constexpr std::array<std::string_view, 4> kNames{"ask", "end_of_input", "term", "kill"};
  return kNames[static_cast<std::size_t>(step)];
}
inline std::string_view say(RemovalReason why) {
  constexpr std::array<std::string_view, 13> kNames{
      "none",          "start_failed", "budget_spent", "dirty",       "revoked",
      "unsolicited",   "closing",      "ping_failed",  "calls_spent", "lifetime_over",
      "idle_too_long", "renewed",      "rss_exceeded"};
  return kNames[static_cast<std::size_t>(why)];
}

/// "c2 checkout_timeout: handshake of 0.0 since 5", and the cause if there is one.
inline std::string say(const Refuse& refusal) {
  std::string text = fmt::format("Refuse c{} {}: {}", static_cast<std::uint64_t>(refusal.checkout),
                                 name(refusal.why), name(refusal.phase));
  if (refusal.has_blocker) text += " of " + say(refusal.blocker);
  text += " since " + say(refusal.since);
  if (refusal.cause.cause == StartCause::none) return text;
  text += fmt::format(", {}", name(refusal.cause.cause));
  if (refusal.why != Outcome::start_failed) return text;
  return text + fmt::format(" of {}, {} in a row", say(refusal.cause_worker), refusal.failures);
}

inline std::string say(const Effect& effect) {
  return std::visit(
      Overloaded{
          [](const Grant& e) {
            return fmt::format("Grant c{} {}", static_cast<std::uint64_t>(e.checkout),
                               say(e.worker));
          },
          [](const Refuse& e) { return say(e); },
          [](const Start& e) { return "Start " + say(e.worker); },
          [](const BeginHandshake& e) {
            return fmt::format("Handshake {} by {}", say(e.worker), say(e.deadline));
          },
          [](const Stop& e) {
            return fmt::format("Stop {} {} {}", say(e.worker), say(e.step), say(e.why));
          },
          [](const Forget& e) { return "Forget " + say(e.worker); },
          [](const Closed&) { return std::string("Closed"); },
          [](const BeginPing& e) {
            return fmt::format("Ping {} by {}", say(e.worker), say(e.deadline));
          },
          [](const MeasureMemory& e) { return "Measure " + say(e.worker); },
          [](const SessionOver& e) {
            return fmt::format("SessionOver {}", static_cast<std::uint64_t>(e.session));
          },
      },
      effect);
}

inline std::string say(const std::vector<Effect>& effects) {
  std::string text;
  for (const Effect& effect : effects) text += (text.empty() ? "" : "; ") + say(effect);
  return text;
}

/// Plays the world by hand: every call is one step, at the time set last, and gives the effects as
/// text. It remembers the leases by their workers.
class Script {
 public:
  explicit Script(const Config& config) : core(config) {}

  Core core;

  /// From now on it is so many milliseconds after zero.
  Script& at(std::int64_t ms) { return at(Time(std::chrono::milliseconds(ms))); }
  Script& at(Time time) {
    now_ = time;
    return *this;
  }
  [[nodiscard]] Time now() const { return now_; }

  std::string step(const Event& event) {
    effects_.clear();
    core.step(now_, event, effects_);
    for (const Effect& effect : effects_) {
      if (const auto* grant = std::get_if<Grant>(&effect)) {
        leases_[key(grant->worker)] = grant->lease;
      }
    }
    return say(effects_);
  }
  [[nodiscard]] const std::vector<Effect>& effects() const { return effects_; }

  std::string checkout(std::uint64_t checkout, std::int64_t deadline_ms) {
    return step(
        CheckoutRequested{CheckoutId{checkout}, Time(std::chrono::milliseconds(deadline_ms))});
  }
  /// In a session.
  std::string checkout(std::uint64_t checkout, const SessionUse& use,
                       std::int64_t deadline_ms = 1'000'000) {
    return step(
        CheckoutRequested{CheckoutId{checkout}, Time(std::chrono::milliseconds(deadline_ms)), use});
  }
  std::string end_session(std::uint64_t session) { return step(SessionEnded{SessionId{session}}); }
  /// With no deadline.
  std::string checkout(std::uint64_t checkout) {
    return step(CheckoutRequested{CheckoutId{checkout}, kNever});
  }
  std::string cancel(std::uint64_t checkout) {
    return step(CheckoutCancelled{CheckoutId{checkout}});
  }
  /// `calls`: how many the worker has had so far.
  std::string check_in(WorkerId worker, std::uint32_t calls = 0, std::uint64_t rss_bytes = 0) {
    return step(CheckedIn{lease(worker), true, calls, rss_bytes});
  }
  std::string check_in_dirty(WorkerId worker) { return step(CheckedIn{lease(worker), false}); }
  std::string revoke(WorkerId worker) { return step(LeaseRevoked{lease(worker)}); }
  std::string started(WorkerId worker) { return step(Started{worker}); }
  std::string start_failed(WorkerId worker) { return step(StartFailed{worker, 2}); }
  std::string good(WorkerId worker) { return step(HandshakeEnded{worker, {}}); }
  std::string bad(WorkerId worker, StartCause cause = StartCause::ping_unread) {
    StartEvidence evidence;
    evidence.cause = cause;
    return step(HandshakeEnded{worker, evidence});
  }
  std::string unsolicited(WorkerId worker) { return step(UnsolicitedOutput{worker}); }
  std::string exited(WorkerId worker, ExitStatus status = {}) {
    return step(Exited{worker, status});
  }
  std::string tick() { return step(Tick{}); }
  /// Goes to next_deadline() and ticks.
  std::string tick_when_due() { return at(core.next_deadline()).tick(); }
  std::string close(std::int64_t deadline_ms) {
    return step(CloseRequested{Time(std::chrono::milliseconds(deadline_ms))});
  }

  std::string ping_ended(WorkerId worker, bool good) { return step(PingEnded{worker, good}); }
  std::string measured(WorkerId worker, std::uint64_t rss_bytes) {
    return step(MemoryMeasured{worker, rss_bytes});
  }
  std::string renew() { return step(RenewRequested{}); }
  std::string suspend() { return step(SuspendRequested{}); }
  std::string resume() { return step(ResumeRequested{}); }

  /// The ordered worker starts and greets well.
  std::string up(WorkerId worker) {
    started(worker);
    return good(worker);
  }

  /// The lease last given on this worker, or none.
  [[nodiscard]] LeaseId lease(WorkerId worker) const {
    const auto found = leases_.find(key(worker));
    return found == leases_.end() ? LeaseId::none : found->second;
  }

 private:
  static std::uint64_t key(WorkerId worker) {
    return std::uint64_t{worker.slot} << 32U | worker.generation;
  }

  Time now_{};
  std::vector<Effect> effects_;
  std::unordered_map<std::uint64_t, LeaseId> leases_;
};

/// Starts on demand, without chance and without a breaker.
inline Config lazy(std::uint32_t size) {
  Config config;
  config.size = size;
  config.backoff_jitter_percent = 0;
  config.breaker_failures = 0;
  return config;
}

/// All slots up and idle, returned in the order of their numbers.
inline Script idle_pool(Config config) {
  config.start = StartMode::eager;
  config.starts_max = config.size;
  Script script{config};
  script.tick();
  for (std::uint32_t slot = 0; slot < config.size; ++slot) script.up({slot, 0});
  return script;
}

}  // namespace poolproof::pool::testing

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "harness/oracle/oracle.hpp"
#include "harness/oracle/reference_model.hpp"

namespace poolproof::oracle {

/// What a pool promises, held against its self-report: every effect is judged by the state of the
/// reference model just before it, every record by the state after it.
///
/// Where the self-report cannot show what the Core knows (how long a slot cools), nothing is
/// judged. A rule that stays broken from record to record is reported once.
class Promises : public ReferenceModel {
 public:
  /// `lateness`: how late events of the world may come; the Core itself is never late.
  Promises(const pool::Config& config, Duration lateness, Memory* memory, std::size_t records)
      : ReferenceModel(config, memory, records), lateness_(lateness) {}

  /// Judges what can be judged only after the last record.
  void judge_end();
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }

 protected:
  void before(const pool::Event& event) override;
  void before(const pool::Effect& effect) override;
  void missed(std::uint32_t worker, pool::StopStep step) override;
  void record_over() override;

  /// Why the idle worker must be recycled, whatever the jitter; none: perhaps it need not be.
  [[nodiscard]] pool::RemovalReason surely_due(const Worker& one) const;
  /// Whether the pool must start workers that nobody waits for, given how many slots cool.
  [[nodiscard]] bool lacks_workers(std::uint32_t cooling) const;
  /// How many waiting clients need no further start: workers that start or are being pinged.
  [[nodiscard]] std::uint32_t coming() const { return under_way() + count(State::pinging); }
  /// How many slots may cool, at most.
  [[nodiscard]] std::uint32_t may_cool() const { return held_ > present() ? held_ - present() : 0; }

  template <class... Words>
  void report(const char* invariant, fmt::format_string<Words...> format, Words&&... words) {
    findings_.push_back({invariant, fmt::format(format, std::forward<Words>(words)...), now_});
  }

 private:
  /// The rules that were broken after the last record already, and have been reported.
  struct AlreadyReported {
    bool beside_idle = false;
    bool beside_vacant = false;
    bool crowded = false;
    bool queue = false;
    bool leaving = false;
    bool refill = false;
    bool recycle = false;
    bool ping = false;
    bool measure = false;
  };

  void judge(const pool::Grant& effect);
  void judge(const pool::Refuse& effect);
  void judge(const pool::Start& effect);
  void judge(const pool::BeginHandshake& effect);
  void judge(const pool::Stop& effect);
  void judge(const pool::Forget& effect);
  void judge(const pool::Closed& effect);
  void judge(const pool::SessionOver& effect);
  void judge(const pool::BeginPing& effect);
  void judge(const pool::MeasureMemory& effect);

  [[nodiscard]] bool is_answered_once(CheckoutId checkout);
  void judge_reuse(std::uint32_t worker, const CheckoutRequest* asked);
  void judge_bound();
  void judge_sessions();
  void judge_asked(const pool::CheckoutRequested& event);
  void judge_place(WorkerId worker);
  void judge_patience(std::uint32_t worker, const pool::StartEvidence& evidence);
  void judge_waiting();
  void judge_bounds();
  void judge_refill();
  void judge_recycled(std::uint32_t worker, const pool::Stop& effect);
  void judge_recycling();
  void judge_pings();
  void judge_measures();
  [[nodiscard]] bool awaits_measure(const Worker& one) const {
    return config_.max_rss_bytes > 0 && after(one.measured_at, config_.rss_interval) <= now_;
  }
  [[nodiscard]] bool is_too_large(const Worker& one) const {
    return config_.max_rss_bytes > 0 && one.rss_bytes > config_.max_rss_bytes;
  }
  [[nodiscard]] std::string_view unfounded(const Worker& one, pool::RemovalReason why) const;
  [[nodiscard]] bool lacks_a_start() const;
  [[nodiscard]] std::uint32_t first_vacant() const;

  // What refused clients are told.
  void judge_reason(const pool::Refuse& refusal, const CheckoutRequest& asked);
  void judge_session_reason(const pool::Refuse& refusal, const CheckoutRequest& asked);
  void judge_late(const pool::Refuse& refusal, const CheckoutRequest& asked);
  void judge_cause(const pool::Refuse& refusal);
  void judge_blocker(const pool::Refuse& refusal, std::uint32_t place);
  [[nodiscard]] std::string_view wrong_wait(const pool::Refuse& refusal,
                                            const CheckoutRequest& asked) const;
  [[nodiscard]] bool may_have_cooled() const;
  [[nodiscard]] std::string_view wrong_start(const pool::Refuse& refusal,
                                             std::uint32_t place) const;

  [[nodiscard]] Duration least_pause(std::uint32_t failures) const {
    const Duration longest = longest_pause(failures);
    return longest - longest * config_.backoff_jitter_percent / 100;
  }

  [[nodiscard]] Duration least_lifetime() const {
    return config_.max_lifetime - config_.max_lifetime * config_.lifetime_jitter_percent / 100;
  }

  /// True once when something becomes wrong, false for as long as it stays wrong.
  static bool newly(bool wrong, bool& told) { return !std::exchange(told, wrong) && wrong; }

  const Duration lateness_;
  AlreadyReported told_;
  std::vector<Finding> findings_;
};

}  // namespace poolproof::oracle

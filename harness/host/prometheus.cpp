#include "harness/host/prometheus.hpp"

#include <cstdint>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "harness/base/outcome.hpp"

namespace poolproof::host {
namespace {

/// The value of a label, escaped to stand between quotes.
std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

/// The span in seconds, exact, without zeros at its end.
std::string seconds(Duration span) {
  constexpr std::int64_t kSecond = 1'000'000;
  std::string text = fmt::format("{}.{:06}", span.count() / kSecond, span.count() % kSecond);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Writes one family of metrics after the other.
class Page {
 public:
  explicit Page(std::string_view pool_name) {
    if (!pool_name.empty()) common_ = fmt::format("pool=\"{}\"", escaped(pool_name));
  }

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type);
  }
  /// Writes a sample of the family begun last; if `label` is empty it has none.
  template <class Number>
  void sample(Number value, std::string_view label = {}, std::string_view of = {}) {
    line("", label, of, fmt::format("{}", value));
  }
  /// Writes a family of one sample.
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "counter", help);
    sample(value);
  }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "gauge", help);
    sample(value);
  }
  void histogram(std::string_view name, std::string_view help, const pool::Histogram& spans) {
    family(name, "histogram", help);
    std::uint64_t so_far = 0;
    for (std::size_t bucket = 0; bucket < pool::Histogram::kBounds; ++bucket) {
      so_far += spans.in(bucket);
      line("_bucket", "le", seconds(pool::Histogram::bound(bucket)), fmt::format("{}", so_far));
    }
    line("_bucket", "le", "+Inf", fmt::format("{}", spans.count()));
    line("_sum", {}, {}, seconds(spans.sum()));
    line("_count", {}, {}, fmt::format("{}", spans.count()));
  }

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, std::string_view label, std::string_view of,
            std::string_view value) {
    std::string labels = common_;
    if (!label.empty()) {
      labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", label, escaped(of));
    }
    if (!labels.empty()) labels = "{" + labels + "}";
    fmt::format_to(std::back_inserter(text_), "{}{}{} {}\n", name_, suffix, labels, value);
  }

  std::string text_;
  std::string common_;  ///< labels of every sample
  std::string_view name_;
};

void write_checkouts(Page& page, const Statistics& now) {
  const pool::Counters& counted = now.counters;
  page.counter("poolproof_checkouts_total", "Checkouts asked for.", counted.requested);
  page.counter("poolproof_checkouts_granted_total", "Checkouts that got a worker.",
               counted.granted);
  page.family("poolproof_checkouts_refused_total", "counter",
              "Checkouts that got none, by the reason.");
  for (auto why = static_cast<std::size_t>(Outcome::checkout_timeout);
       why <= static_cast<std::size_t>(Outcome::sessions_full); ++why) {
    page.sample(counted.refused[why], "reason", kOutcomeNames[why]);
  }
  page.gauge("poolproof_waiting", "Clients that wait for a worker.", now.gauges.waiting);
  page.gauge("poolproof_sessions", "Sessions that go on.", now.gauges.sessions);
  page.family("poolproof_leases_ended_total", "counter", "Leases that are over, by their end.");
  page.sample(counted.returned_clean, "end", "clean");
  page.sample(counted.returned_dirty, "end", "dirty");
  page.sample(counted.revoked, "end", "revoked");
  page.sample(counted.lost, "end", "lost");
  page.gauge("poolproof_leases_leaked", "Leases held for longer than leak_after.",
             now.leaks.size());
}

void write_workers(Page& page, const Statistics& now) {
  const pool::Gauges& gauges = now.gauges;
  page.family("poolproof_workers", "gauge", "Workers, by what they do.");
  page.sample(gauges.starting, "state", "starting");
  page.sample(gauges.handshake, "state", "handshake");
  page.sample(gauges.idle, "state", "idle");
  page.sample(gauges.pinging, "state", "pinging");
  page.sample(gauges.leased, "state", "leased");
  page.sample(gauges.leaving, "state", "leaving");
  page.gauge("poolproof_slots_vacant", "Slots without a worker.", gauges.vacant);
  page.counter("poolproof_starts_total", "Workers ordered to start.", now.counters.starts);
  page.counter("poolproof_starts_failed_total", "Workers that did not get through their start.",
               now.counters.starts_failed);
  page.counter("poolproof_workers_gone_total", "Workers that are over.", now.counters.forgotten);
  page.counter("poolproof_breaker_opened_total",
               "Times that starts were given up for a while, since they kept failing.",
               now.counters.breaker_opened);
  page.gauge("poolproof_breaker_open", "Whether starts are given up for a while.",
             gauges.breaker_open ? 1 : 0);
  page.gauge("poolproof_suspended", "Whether nobody is served.", gauges.suspended ? 1 : 0);
  page.gauge("poolproof_closing", "Whether the pool closes or is closed.", gauges.closing ? 1 : 0);
  page.counter("poolproof_ignored_total", "Events that came too late or out of place.",
               now.counters.ignored);
  page.counter("poolproof_events_lost_total", "Events that on_event was too slow for.",
               now.events_lost);
}

}  // namespace

std::string prometheus_text(const Statistics& statistics, std::string_view pool_name) {
  Page page(pool_name);
  write_checkouts(page, statistics);
  write_workers(page, statistics);
  page.histogram("poolproof_checkout_wait_seconds", "From a checkout's request to its grant.",
                 statistics.timings.wait);
  page.histogram("poolproof_lease_use_seconds", "From a lease's grant to its end.",
                 statistics.timings.use);
  page.histogram("poolproof_worker_start_seconds",
                 "From the order to start a worker to its good init ping.",
                 statistics.timings.start);
  return page.take();
}

}  // namespace poolproof::host

#include <array>
#include <atomic>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "harness/base/property_testing.hpp"
#include "harness/base/random.hpp"
#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

using faults::JournalRecord;

/// Beyond its deadline; a call may wait that long for a post-mortem.
constexpr Duration kSlack = 10s;
constexpr Duration kCallTimeout = 250ms;
constexpr Duration kCheckoutTimeout = 2s;

/// What a client does with its lease.
enum class Deed : std::uint8_t { call, two_calls, cancel, give_up, hold, discard, fail, count };

struct Client {
  std::string name;
  std::vector<Deed> deeds;  ///< one lease each
};

struct Case {
  std::uint64_t seed = 0;
  pool::Config core;
  pool::OnException on_exception = pool::OnException::keep;
  std::vector<Client> clients;
  json plan = json::array();
  int closes_after = -1;  ///< grants; then somebody closes the pool under the clients' feet
};

const std::array<json, 26> kCallFaults{{
    {{"fault", "reply_dropped"}},
    {{"fault", "reading_stopped"}},
    {{"fault", "exit_mid_call"}, {"code", 9}},
    {{"fault", "killed_mid_call"}, {"signal", 9}},
    {{"fault", "stdout_closed"}},
    {{"fault", "stdin_closed"}},
    {{"fault", "exit_while_idle"}},
    {{"fault", "reply_unframed"}},
    {{"fault", "text_before_reply"}},
    {{"fault", "text_after_reply"}},
    {{"fault", "text_while_idle"}, {"delay_ms", 5}},
    {{"fault", "reply_truncated"}},
    {{"fault", "length_too_long"}},
    {{"fault", "length_too_short"}},
    {{"fault", "length_little_endian"}},
    {{"fault", "length_zero"}},
    {{"fault", "length_huge"}},
    {{"fault", "json_invalid"}},
    {{"fault", "id_wrong"}},
    {{"fault", "reply_twice"}},
    {{"fault", "error_reply"}},
    {{"fault", "reply_slow"}, {"delay_ms", 10}},
    {{"fault", "reply_late"}, {"delay_ms", 400}},
    {{"fault", "reply_fragmented"}},
    {{"fault", "reply_unflushed"}},
    {{"fault", "stderr_flood"}, {"text_bytes", 200000}},
}};

const std::array<json, 9> kWorkerFaults{{
    {{"fault", "exit_at_start"}},
    {{"fault", "killed_at_start"}},
    {{"fault", "banner"}},
    {{"fault", "import_slow"}, {"delay_ms", 100}},
    {{"fault", "input_read_as_lines"}},
    {{"fault", "stdin_end_ignored"}},
    {{"fault", "term_ignored"}},
    {{"fault", "exit_slow"}, {"delay_ms", 20}},
    {{"fault", "grandchild_left"}, {"at", {{"request", 1}}}},
}};

/// One case of the property, all drawn from its seed: so nothing is shrunk (real time can't be) and
/// one number brings it back.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed, "pool on real processes") {
    drawn_.seed = seed;
    config();
    clients();
    faults();
    if (one_in(4)) drawn_.closes_after = static_cast<int>(below(6));
  }
  [[nodiscard]] Case drawn() const { return drawn_; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool one_in(std::uint64_t times) { return below(times) == 0; }

  void config() {
    auto& core = drawn_.core;
    core.size = static_cast<std::uint32_t>(1 + below(3));
    core.start = one_in(2) ? pool::StartMode::eager : pool::StartMode::lazy;
    core.init_mode = one_in(3) ? pool::InitMode::blocking : pool::InitMode::async;
    core.reuse = one_in(2) ? pool::Reuse::first_in_first_out : pool::Reuse::last_in_first_out;
    core.waiters_max = one_in(4) ? 1 : 100;
    core.startup_budget = 1s;
    core.postmortem_budget = 100ms;
    core.backoff_initial = 5ms;
    core.breaker_open = 50ms;
    core.shutdown_grace = core.stdin_grace = core.term_grace = 50ms;
    drawn_.on_exception = one_in(2) ? pool::OnException::keep : pool::OnException::discard;
  }

  void clients() {
    const auto count = 2 + below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      Client client{fmt::format("c{}", i), {}};
      const auto leases = 1 + below(4);
      for (std::uint64_t lease = 0; lease < leases; ++lease) {
        // Mostly plain calls, or there is little for the faults to strike.
        const auto odd = static_cast<Deed>(below(static_cast<std::uint64_t>(Deed::count)));
        client.deeds.push_back(one_in(2) ? Deed::call : odd);
      }
      drawn_.clients.push_back(std::move(client));
    }
  }

  void faults() {
    const auto plan_one = [this](json fault, const json& aim) {
      fault["id"] = fmt::format("f{}", drawn_.plan.size());
      if (!fault.contains("at")) fault["at"] = aim;
      drawn_.plan.push_back(std::move(fault));
    };
    for (const Client& client : drawn_.clients) {
      if (one_in(3)) continue;
      const auto which = below(kCallFaults.size());
      const auto call = 1 + below(client.deeds.size());
      plan_one(kCallFaults[which], {{"client", client.name}, {"call", call}});
    }
    if (one_in(2)) return;
    const auto which = below(kWorkerFaults.size());
    const auto generation = below(2);
    plan_one(kWorkerFaults[which], {{"generation", generation}});
  }

  Random random_;
  Case drawn_;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  out << "seed " << c.seed << ": size " << c.core.size << ", "
      << (c.core.start == pool::StartMode::eager ? "eager" : "lazy") << ", "
      << (c.core.init_mode == pool::InitMode::blocking ? "blocking" : "async") << ", waiters_max "
      << c.core.waiters_max << ", closes after " << c.closes_after << "\n";
  for (const Client& client : c.clients) {
    out << client.name << ":";
    for (const Deed deed : client.deeds) out << ' ' << static_cast<int>(deed);
    out << "\n";
  }
  return out << c.plan.dump(1);
}

/// What became of one checkout or call, as its client saw it.
struct Seen {
  std::string nonce;  ///< empty: a checkout
  Outcome outcome = Outcome::ok;
  bool mixed_up = false;  ///< somebody else's reply
  bool in_doubt = false;
  Duration took{};
  Duration limit{};
};

/// Lives one client's life.
class Life {
 public:
  Life(Pool& pool, const Client& client) : pool_(pool), client_(client) {}

  void live() {
    for (const Deed deed : client_.deeds) {
      try {
        one_lease(deed);
      } catch (const std::runtime_error&) {
        // The holder's own trouble; the lease has ended by it.
      }
    }
  }
  [[nodiscard]] const std::vector<Seen>& seen() const { return seen_; }

 private:
  void one_lease(Deed deed) {
    std::stop_source stop;
    std::jthread stopper;
    if (deed == Deed::give_up) stopper = std::jthread([&] { stop.request_stop(); });
    Seen checkout{"", Outcome::ok, false, false, {}, kCheckoutTimeout};
    const Time begun = sys::now();
    auto lease = pool_.checkout(kCheckoutTimeout, stop.get_token());
    checkout.took = sys::now() - begun;
    checkout.outcome = outcome_of(lease);
    seen_.push_back(checkout);
    if (!lease || deed == Deed::hold) return;
    call(*lease, deed == Deed::cancel);
    if (deed == Deed::two_calls) call(*lease, false);
    if (deed == Deed::discard) lease->discard();
    if (deed == Deed::fail) throw std::runtime_error("the holder's own trouble");
  }

  void call(Lease& lease, bool cancelled) {
    std::stop_source stop;
    std::jthread stopper;
    if (cancelled) stopper = std::jthread([&] { stop.request_stop(); });
    Seen seen{
        client_.name + ":" + std::to_string(++calls_), Outcome::ok, false, false, {}, kCallTimeout};
    const Time begun = sys::now();
    const auto reply = lease.call("echo", {{"nonce", seen.nonce}, {"padding", "0123456789"}},
                                  kCallTimeout, stop.get_token());
    seen.took = sys::now() - begun;
    seen.outcome = outcome_of(reply);
    seen.mixed_up = reply && reply->result->value("nonce", "") != seen.nonce;
    seen.in_doubt = lease.in_doubt();
    seen_.push_back(seen);
  }

  Pool& pool_;
  const Client& client_;
  int calls_ = 0;
  std::vector<Seen> seen_;
};

/// The whole run's counts: a property of which nothing happened would be green too.
struct Totals {
  int good = 0;
  int bad = 0;
  int doubted = 0;
  int receipts = 0;
  std::set<Outcome> outcomes;
  std::set<std::string> struck;
};

void judge_clients(const std::vector<Seen>& all, Totals& totals) {
  for (const Seen& seen : all) {
    RC_ASSERT(seen.took < seen.limit + kSlack);
    RC_ASSERT_FALSE(seen.mixed_up);
    totals.outcomes.insert(seen.outcome);
    if (!seen.nonce.empty()) ++(seen.outcome == Outcome::ok ? totals.good : totals.bad);
    totals.doubted += seen.in_doubt ? 1 : 0;
  }
}

/// The workers' own witness: each request is read once at most, and after one that was left in
/// doubt its incarnation reads nobody's any more.
void judge_journal(const std::string& path, const std::vector<Seen>& all, Totals& totals) {
  std::set<std::string> doubted;
  for (const Seen& seen : all) {
    if (seen.in_doubt) doubted.insert(seen.nonce);
  }
  std::set<WorkerId> dirty;
  std::set<std::string> read;
  for (const auto& line : read_journal(path)) {
    if (line.record.kind == JournalRecord::Kind::receipt) {
      ++totals.receipts;
      totals.struck.insert(line.record.fault);
    }
    if (line.record.kind != JournalRecord::Kind::read || !line.record.nonce) continue;
    RC_ASSERT_FALSE(dirty.contains(line.worker));
    RC_ASSERT(read.insert(*line.record.nonce).second);
    if (doubted.contains(*line.record.nonce)) dirty.insert(line.worker);
  }
}

/// The pool's own log: one holder at a time, and none after a dirty return.
void judge_grants(const EventLog& log) {
  std::map<LeaseId, WorkerId> held;
  std::set<WorkerId> dirty;
  for (const auto& entry : log.entries()) {
    if (const auto* back = std::get_if<pool::CheckedIn>(&entry.event)) {
      const auto lease = held.find(back->lease);
      if (lease != held.end() && !back->clean) dirty.insert(lease->second);
      if (lease != held.end()) held.erase(lease);
    }
    for (const auto& effect : entry.effects) {
      const auto* grant = std::get_if<pool::Grant>(&effect);
      if (grant == nullptr) continue;
      RC_ASSERT_FALSE(dirty.contains(grant->worker));
      for (const auto& [lease, worker] : held) RC_ASSERT_FALSE(worker == grant->worker);
      held[grant->lease] = grant->worker;
    }
  }
}

void run(const Case& drawn, Totals& totals) {
  PoolFixture fixture;
  const Folder folder;
  const std::string journal = folder.file("journal");
  std::ofstream(folder.file("plan")) << json{{"plan_version", 1}, {"faults", drawn.plan}};
  Options options = fixture.fake({"--plan", folder.file("plan"), "--journal", journal});
  options.core = drawn.core;
  options.on_exception = drawn.on_exception;

  std::vector<Seen> all;
  {
    auto pool = PoolFixture::open(options);
    std::vector<Life> lives;
    for (const Client& client : drawn.clients) lives.emplace_back(*pool, client);
    std::atomic<bool> over{false};
    std::vector<std::jthread> threads;
    for (Life& life : lives) threads.emplace_back([&life] { life.live(); });
    std::jthread closer;
    if (drawn.closes_after >= 0) {
      closer = std::jthread([&] {
        const auto enough = static_cast<std::uint64_t>(drawn.closes_after);
        while (!over && pool->statistics().counters.granted < enough) (void)sys::poll({}, 1ms);
        pool->close(100ms);
      });
    }
    threads.clear();
    over = true;
    if (closer.joinable()) closer.join();
    for (const Life& life : lives) all.insert(all.end(), life.seen().begin(), life.seen().end());
    const auto before_close = pool->statistics();
    RC_ASSERT(before_close.gauges.leased == 0U);
    RC_ASSERT(before_close.gauges.waiting == 0U);
    RC_ASSERT(adds_up(before_close));
    RC_ASSERT(pool->close(5s));
    const auto after_close = pool->statistics();
    RC_ASSERT(adds_up(after_close));
    RC_ASSERT(after_close.counters.starts == after_close.counters.forgotten);
  }
  judge_clients(all, totals);
  judge_journal(journal, all, totals);
  judge_grants(fixture.log);
  RC_ASSERT(fixture.nothing_left());
}

}  // namespace

TEST_CASE("host: pool: on real processes it keeps its promises whatever the workers do") {
  constexpr int kCases = 25;
  Totals totals;
  holds("host pool", {kCases, 100}, [&] {
    const auto seed = *rc::gen::noShrink(rc::gen::arbitrary<std::uint64_t>());
    const Case drawn = Draw(seed).drawn();
    std::ostringstream text;
    text << drawn;
    RC_LOG() << text.str() << "\n";
    run(drawn, totals);
  });
  CAPTURE(totals.good, totals.bad, totals.doubted, totals.receipts, totals.outcomes.size(),
          totals.struck);
  CHECK(totals.good >= kCases);
  CHECK(totals.bad >= kCases / 5);
  CHECK(totals.doubted >= kCases / 5);
  CHECK(totals.receipts >= kCases / 2);
  CHECK(totals.outcomes.size() >= 4);
  CHECK(totals.struck.size() >= 8);
}

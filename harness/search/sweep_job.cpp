#include "harness/search/sweep_job.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "harness/host/system.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/scenario/generate.hpp"
#include "harness/search/case.hpp"
#include "harness/search/run_in_child.hpp"

namespace poolproof::search {
namespace {

/// One case in this many is carried out twice, and the traces are compared. A prime: with 512 the
/// first of 2, 4 or 8 shards had all of them.
constexpr std::uint64_t kRepeatOneIn = 509;
/// One case in this many is carried out with JSON, too.
constexpr std::uint64_t kJsonOneIn = 20;

class Job {
 public:
  Job(const SweepOptions& options, const CompletedRanges& done, SweepShared& shared,
      std::uint32_t job, int said)
      : options_(options), done_(done), shared_(shared), own_(shared.jobs[job]), said_(said) {}

  void run(Time deadline) {
    const std::uint64_t chunk = kChunk * options_.shards;
    for (std::uint64_t number = own_.at.load();;) {
      if (number >= own_.end.load()) {
        end_chunk(own_.end.load());
        // The time is checked between chunks only, so that few chunks stay incomplete.
        if (host::sys::now() >= deadline) return;
        number = shared_.next.fetch_add(chunk);
        own_.begin.store(number);
        own_.end.store(options_.count > 0 ? std::clamp(options_.count, number, number + chunk)
                                          : number + chunk);
        if (own_.end.load() == number) return;  // the sweep's count is reached
      }
      own_.at.store(number);
      if (shared_.stop.load(std::memory_order_relaxed)) return end_chunk(number);
      if (!is_mine(number)) {
        number = next_of_mine(number);
        continue;
      }
      if (!done_.has(number)) {
        own_.in_case.store(true);
        carry_out(number);
        own_.in_case.store(false);
      }
      ++number;
    }
  }

 private:
  [[nodiscard]] bool is_mine(std::uint64_t number) const {
    return number % options_.shards == options_.shard;
  }
  [[nodiscard]] std::uint64_t next_of_mine(std::uint64_t number) const {
    const std::uint64_t first = number - number % options_.shards + options_.shard;
    return first >= number ? first : first + options_.shards;
  }

  void end_chunk(std::uint64_t number) {
    const std::uint64_t begin = own_.begin.load();
    if (begin == number) return;
    write_whole(said_, line_of(JobChunk{{begin, number}, own_.tally}));
    const oracle::Coverage coverage = own_.tally.coverage;
    own_.tally = {};
    own_.tally.coverage = coverage;
    own_.begin.store(number);
  }

  void carry_out(std::uint64_t number) {
    if (options_.before_each) options_.before_each(number);
    const Time begun = host::sys::now();
    const std::uint64_t seed = case_seed(options_.seed, number);
    const auto& scenario = runner_.make(seed);
    run(number, wire::Codec::terse, begun);
    // The seed decides and not the number, so that every shard has its share of such cases.
    const bool with_json = seed % kJsonOneIn == 0 || touches_payload(scenario);
    if (with_json) run(number, wire::Codec::json, host::sys::now());
    ++own_.tally.done;
  }

  void run(std::uint64_t number, wire::Codec codec, Time begun) {
    const CaseResult result = runner_.run_made(codec);
    for (const auto& finding : result.findings) {
      failed(number, oracle::signature(finding), finding.what);
    }
    if (!result.trouble.empty()) ++own_.tally.proved_nothing;
    own_.tally.coverage.add(runner_.coverage());
    CodecTotals& totals = codec == wire::Codec::terse ? own_.tally.terse : own_.tally.json;
    ++totals.runs;
    totals.core_events += result.core_events;
    totals.busy += host::sys::now() - begun;
    if (number % kRepeatOneIn == 0) repeat(number, codec);
  }

  static bool touches_payload(const scenario::Scenario& scenario) {
    return std::any_of(scenario.faults.begin(), scenario.faults.end(),
                       [](const auto& planned) { return planned.fault->touches_payload; });
  }

  void repeat(std::uint64_t number, wire::Codec codec) {
    again_.make(case_seed(options_.seed, number));
    (void)again_.run_made(codec);
    const std::uint64_t hash = hash_of(runner_.trace());
    ++own_.tally.repeated;
    own_.tally.traces += hash;
    if (hash_of(again_.trace()) == hash) return;
    failed(number, "nondeterminism", "the same seed gave another trace the second time");
  }

  void failed(std::uint64_t number, const std::string& signature, const std::string& what) {
    write_whole(said_, line_of(JobFailure{number, 1, signature, what}));
  }

  const SweepOptions& options_;
  const CompletedRanges& done_;
  SweepShared& shared_;
  JobShared& own_;
  int said_;
  CaseRunner runner_;
  CaseRunner again_;
};

std::string_view take_field(std::string_view& line) {
  const std::size_t end = line.find('\t');
  const std::string_view field = line.substr(0, end);
  line = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  return field;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// The first word of a chunk's line. A failure's line begins with a number.
constexpr std::string_view kChunkWord = "chunk";

/// Visits all numbers of a chunk's line, in order.
template <class Chunk, class Visit>
void each_number(Chunk& chunk, Visit visit) {
  visit(chunk.numbers.from);
  visit(chunk.numbers.to);
  visit(chunk.tally.done);
  for (auto* totals : {&chunk.tally.terse, &chunk.tally.json}) {
    visit(totals->runs);
    visit(totals->core_events);
    visit(totals->busy);
  }
  visit(chunk.tally.repeated);
  visit(chunk.tally.proved_nothing);
  visit(chunk.tally.traces);
  for (auto& word : chunk.tally.coverage.words()) visit(word);
}

struct WriteNumber {
  std::string& line;
  void operator()(std::uint64_t number) const {
    fmt::format_to(std::back_inserter(line), "\t{}", number);
  }
  void operator()(Duration span) const { (*this)(static_cast<std::uint64_t>(span.count())); }
};

struct TakeNumber {
  std::string_view line;
  void operator()(std::uint64_t& number) { number = number_of(take_field(line)); }
  void operator()(Duration& span) {
    span = Duration(static_cast<Duration::rep>(number_of(take_field(line))));
  }
};

}  // namespace

std::string line_of(const JobChunk& chunk) {
  std::string line(kChunkWord);
  each_number(chunk, WriteNumber{line});
  return line + "\n";
}

std::optional<JobChunk> chunk_of(std::string_view line) {
  if (take_field(line) != kChunkWord) return std::nullopt;
  JobChunk chunk;
  each_number(chunk, TakeNumber{line});
  return chunk;
}

std::string line_of(const JobFailure& failure) {
  return fmt::format("{}\t{}\t{}\t{}\n", failure.number, failure.times, failure.signature,
                     failure.what);
}

JobFailure failure_of(std::string_view line) {
  JobFailure failure;
  failure.number = number_of(take_field(line));
  failure.times = number_of(take_field(line));
  failure.signature = take_field(line);
  failure.what = take_field(line);
  return failure;
}

void do_job(const SweepOptions& options, const CompletedRanges& done, SweepShared& shared,
            std::uint32_t job, Time deadline, int said) {
  Job(options, done, shared, job, said).run(deadline);
}

}  // namespace poolproof::search

#include "harness/run/sweep_job.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

#include "harness/host/system.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/run/case.hpp"
#include "harness/scenario/generate.hpp"

namespace poolproof::run {
namespace {

/// One case in so many is carried out twice, and the traces compared.
constexpr std::uint64_t kRepeatOneIn = 512;
/// One case in so many is carried out with JSON, too.
constexpr std::uint64_t kJsonOneIn = 20;

class Job {
 public:
  Job(const SweepOptions& options, SweepDesk& desk, std::uint32_t job, int said)
      : options_(options), shared_(desk), desk_(desk.jobs[job]), said_(said) {}

  void run(Time deadline) {
    for (std::uint64_t number = desk_.at.load();; ++number) {
      if (number >= desk_.end.load()) {
        // Only between chunks: what has been begun is done, so that nothing is done twice.
        desk_.at.store(number);
        if (host::sys::now() >= deadline) return;
        number = shared_.next.fetch_add(kChunk);
        desk_.end.store(number + kChunk);
      }
      desk_.at.store(number);
      if (options_.count > 0 && number >= options_.count) return;
      if (number % options_.shards == options_.shard) carry_out(number);
    }
  }

 private:
  void carry_out(std::uint64_t number) {
    const Time begun = host::sys::now();
    const std::uint64_t seed = case_seed(options_.seed, number);
    const auto& scenario = runner_.make(seed);
    run(number, wire::Codec::terse, begun);
    // Told by the seed: so every shard has its share of them.
    const bool with_json = seed % kJsonOneIn == 0 || touches_payload(scenario);
    if (with_json) run(number, wire::Codec::json, host::sys::now());
    desk_.done.fetch_add(1);
  }

  void run(std::uint64_t number, wire::Codec codec, Time begun) {
    const CaseResult result = runner_.run_made(codec);
    for (const auto& finding : result.findings) {
      failed(number, oracle::signature(finding), finding.what);
    }
    if (!result.trouble.empty()) desk_.proved_nothing.fetch_add(1);
    note_coverage();
    JobDesk::Spoken& spoken = codec == wire::Codec::terse ? desk_.terse : desk_.json;
    spoken.runs.fetch_add(1);
    spoken.core_events.fetch_add(result.core_events);
    spoken.busy_us.fetch_add(static_cast<std::uint64_t>((host::sys::now() - begun).count()));
    if (number % kRepeatOneIn == 0) repeat(number, codec);
  }

  static bool touches_payload(const scenario::Scenario& scenario) {
    return std::any_of(scenario.faults.begin(), scenario.faults.end(), [](const auto& planned) {
      return scenario::touches_payload(*planned.fault);
    });
  }

  void repeat(std::uint64_t number, wire::Codec codec) {
    again_.make(case_seed(options_.seed, number));
    (void)again_.run_made(codec);
    const std::uint64_t hash = hash_of(runner_.trace());
    desk_.repeated.fetch_add(1);
    desk_.traces.fetch_add(hash);
    if (hash_of(again_.trace()) == hash) return;
    failed(number, "nondeterminism", "the same seed gave another trace the second time");
  }

  void note_coverage() {
    coverage_.add(runner_.coverage());
    const auto& words = coverage_.words();
    for (std::size_t i = 0; i < words.size(); ++i) {
      desk_.coverage[i].store(words[i], std::memory_order_relaxed);
    }
  }

  /// Of each kind the first is told, and then at every power of two how many there are.
  void failed(std::uint64_t number, const std::string& signature, const std::string& what) {
    const std::uint64_t times = ++seen_[signature];
    if ((times & (times - 1)) != 0) return;
    (void)host::sys::write(said_, line_of({number, times, signature, what}));
  }

  const SweepOptions& options_;
  SweepDesk& shared_;
  JobDesk& desk_;
  int said_;
  CaseRunner runner_;
  CaseRunner again_;
  oracle::Coverage coverage_;
  std::map<std::string, std::uint64_t> seen_;
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

}  // namespace

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

int do_job(const SweepOptions& options, SweepDesk& desk, std::uint32_t job, Time deadline,
           int said) {
  Job(options, desk, job, said).run(deadline);
  return 0;
}

}  // namespace poolproof::run

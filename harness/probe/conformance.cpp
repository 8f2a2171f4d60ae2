#include "harness/probe/conformance.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/probe/tests.hpp"

namespace poolproof::probe {
namespace {

enum class Needs : std::uint8_t {
  nothing,
  a_start,
  a_process,  ///< a started process; what is not well on a used one is tried again on a fresh one
  answers,    ///< a started process of a worker that answers three calls in a row
};

struct Test {
  std::string_view id;
  std::string_view fact;
  Needs needs;
  Finding (*examine)(Subject&);
};

constexpr std::array kTests{
    Test{"init_ping", "answers its init ping", Needs::nothing,
         [](Subject& s) { return s.first_start(); }},
    Test{"three_calls", "answers three calls in a row, each with its own reply and nothing else",
         Needs::a_process, three_calls},
    Test{"non_ascii", "takes non-ASCII text, and counts bytes in its lengths", Needs::answers,
         non_ascii},
    Test{"megabyte", "takes a megabyte, and gives it back", Needs::answers, megabyte},
    Test{"torn_request", "waits for the rest of a request that comes in pieces", Needs::answers,
         torn_request},
    Test{"glued_requests", "answers each of two requests that come in one piece", Needs::answers,
         glued_requests},
    Test{"unknown_command", "answers an unknown command with an error", Needs::answers,
         unknown_command},
    Test{"not_json", "answers a request that is no JSON with an error, and lives on",
         Needs::answers, not_json},
    Test{"idle", "writes nothing and rests while nobody asks it anything", Needs::a_process, idle},
    Test{"many_calls", "answers many calls of the same process as its first ones", Needs::answers,
         many_calls},
    Test{"goodbye", "leaves when it is asked to in its speech", Needs::a_process, goodbye},
    Test{"eof_idle", "ends at the end of its input, and well", Needs::a_process, end_of_input},
    Test{"eof_in_frame", "ends when its input ends inside of a frame", Needs::a_process,
         end_in_frame},
    Test{"eof_in_call", "ends when its input ends in mid-call", Needs::answers, end_in_call},
    Test{"zero_length", "ends on a frame of no bytes, or goes on in step", Needs::answers,
         zero_length},
    Test{"oversized", "ends on a frame above the limit, or answers with an error", Needs::answers,
         oversized},
    Test{"term_idle", "ends at TERM while idle", Needs::a_process, term_while_idle},
    Test{"term_in_call", "ends at TERM in mid-call", Needs::answers, term_in_call},
    Test{"start_time", "is ready in half of its start-up budget", Needs::a_start, start_time},
    Test{"starts_again", "starts as often as it is asked to", Needs::a_start, starts_again},
    Test{"left_behind", "leaves no process behind", Needs::nothing, nothing_left},
    Test{"stderr", "writes less to stderr than a pipe holds", Needs::nothing, little_on_stderr},
};

/// The finding for what is well on a fresh process, but not after some requests. Those requests are
/// to blame: the row many_calls reports it or, if that row is over, the first row that finds it.
Finding worn(Subject& subject, Finding used, int requests, const Finding& fresh) {
  used.what += fmt::format(", after {} requests; a fresh process {}", requests, fresh.what);
  const bool first = !std::exchange(subject.worn, subject.worn ? subject.worn : used);
  return first && subject.many_calls_over ? used : fresh;
}

/// Tries a row on the process at hand. If it is not well there, it is tried on a fresh process,
/// which no earlier row can have spoilt.
Finding on_a_process(const Test& test, Subject& subject) {
  const int requests = subject.requests_behind();
  const auto ended = subject.ended_by_itself();
  Finding used = ended ? broken(fmt::format("ends by itself ({})", pool::words(*ended)))
                       : test.examine(subject);
  const auto is_bad = [](const Finding& finding) {
    return finding.verdict == Verdict::broken || finding.verdict == Verdict::remark;
  };
  if (requests == 0 || !is_bad(used)) return used;
  if (subject.fresh() == nullptr) return used;
  Finding fresh = test.examine(subject);
  // What the first try noted as told elsewhere was told by this very row.
  if (is_bad(fresh)) fresh.told_elsewhere = used.told_elsewhere;
  if (fresh.verdict == Verdict::not_tried) return used;
  if (fresh.verdict == used.verdict) return fresh;
  if (is_bad(fresh) && used.verdict == Verdict::remark) return fresh;
  return worn(subject, used, requests, fresh);
}

Finding carry_out(const Test& test, Subject& subject, bool started) {
  if (test.needs != Needs::nothing && !started)
    return not_tried("there is no worker that has answered its ping");
  if (test.needs == Needs::answers && !subject.answers)
    return not_tried("it does not answer three calls in a row");
  const bool looks_back = test.needs == Needs::nothing || test.needs == Needs::a_start;
  if (looks_back) return test.examine(subject);
  Finding finding = on_a_process(test, subject);
  if (test.examine == idle) subject.restless = finding.verdict == Verdict::broken;
  if (test.examine != many_calls) return finding;
  subject.many_calls_over = true;
  if (finding.verdict != Verdict::held) {
    subject.worn = finding;
  } else if (subject.worn) {
    finding = *subject.worn;
    // A worker that ends or writes by itself does so in any row.
    finding.told_elsewhere = subject.restless;
  }
  return finding;
}

}  // namespace

Table examine(const Settings& settings, const std::string& token, const Say& say) {
  Subject subject(settings, token, say);
  Table table{settings.command, {}, {}};
  bool started = true;
  for (const Test& test : kTests) {
    const Time begun = host::sys::now();
    say(fmt::format("{}{}: {}\n", table.rows.empty() ? "" : "\n", test.id, test.fact));
    const Finding finding = carry_out(test, subject, started);
    const bool tried = finding.verdict != Verdict::not_tried;
    say(fmt::format("  {}: {}{}\n", name(finding.verdict), tried ? "it " : "", finding.what));
    started = started && !(table.rows.empty() && finding.verdict == Verdict::broken);
    table.rows.push_back({test.id, test.fact, finding, host::sys::now() - begun});
  }
  table.diagnosis = diagnose(table.rows);
  return table;
}

}  // namespace poolproof::probe

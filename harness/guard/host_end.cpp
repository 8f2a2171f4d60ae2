#include <csignal>
#include <cstring>

#include <fmt/format.h>

#include "harness/base/signals.hpp"
#include "harness/guard/rules.hpp"

/// Did the program end, and how?
namespace poolproof::guard {
namespace {

/// A shell exits with this number plus the signal that ended its child.
constexpr int kShellSignal = 128;

std::string signal_text(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal)
                         : fmt::format("signal {} ({})", signal, name);
}

std::string exit_text(ExitStatus exit) {
  if (exit.signal != 0) return "was ended by " + signal_text(exit.signal);
  const int told = exit.code - kShellSignal;
  const bool by_signal = told > 0 && told <= kSignalMax;
  return fmt::format("ended with exit code {}{}", exit.code,
                     by_signal ? fmt::format(", as a shell tells {}", signal_text(told)) : "");
}

/// The program's last sign of life, such as `its last output at 122 ms`.
std::string sign_text(const HostEnd& end) {
  switch (end.sign) {
    case Sign::start:
      return "its start: it wrote nothing that was seen";
    case Sign::output:
      return fmt::format("its last output at {} ms", to_ms(end.last_sign));
    case Sign::journal:
      return fmt::format("the last line of a worker's journal at {} ms", to_ms(end.last_sign));
    case Sign::mark:
      return fmt::format("its last mark at {} ms", to_ms(end.last_sign));
    case Sign::end_mark:
      break;
  }
  return fmt::format("its mark \"end\" at {} ms", to_ms(end.last_sign));
}

std::string overdue_text(const HostEnd& end) {
  if (end.how == HostEnd::How::over_limit) {
    return fmt::format("it still ran after the limit of {} and was put away", seconds(end.limit));
  }
  return fmt::format("it did not end within {} after {}, and was put away", seconds(end.limit),
                     sign_text(end));
}

}  // namespace

void judge_host_end(const Facts& facts, Judgement& judgement) {
  const HostEnd& end = facts.end;
  Finding finding{"host_ended", Blame::program, "", end.at, {facts.host}};
  if (end.how != HostEnd::How::by_itself) {
    finding.what = told(facts.host) + ": " + overdue_text(end);
    judgement.findings.push_back(std::move(finding));
  } else if (end.passed && end.exit != ExitStatus{}) {
    finding.blame = Blame::harness;
    finding.what = fmt::format("the program {} after {} was passed on to it", exit_text(end.exit),
                               signal_text(*end.passed));
    judgement.remarks.push_back(std::move(finding));
  } else if (end.exit != ExitStatus{}) {
    finding.what = told(facts.host) + ": it " + exit_text(end.exit);
    judgement.findings.push_back(std::move(finding));
  }
}

}  // namespace poolproof::guard

#include "harness/search/run_in_child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "harness/oracle/oracle.hpp"
#include "harness/search/case.hpp"
#include "harness/search/crash_allowance.hpp"
#include "harness/search/crash_signature.hpp"

namespace poolproof::search {
namespace {

/// How often somebody is asked whether to give up.
constexpr Duration kAskEvery = std::chrono::milliseconds(100);
constexpr std::size_t kWordsMost = std::size_t{16} << 20U;

}  // namespace

bool drain(int fd, std::string& into) {
  std::array<char, 16384> chunk{};
  while (true) {
    const auto got = host::sys::read(fd, chunk);
    if (!got) return got.error() == EAGAIN;
    if (*got == 0) return false;
    into.append(chunk.data(), std::min(*got, kWordsMost - std::min(kWordsMost, into.size())));
  }
}

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto wrote = host::sys::write(fd, text);
    if (!wrote) return false;
    text.remove_prefix(*wrote);
  }
  return true;
}

ChildOutput hear(host::ForkedChild& child, Duration limit, const std::function<bool()>& give_up) {
  ChildOutput heard;
  const Time deadline = after(host::sys::now(), limit);
  std::array<pollfd, 3> fds{{{child.said.get(), POLLIN, 0},
                             {child.errors.get(), POLLIN, 0},
                             {child.pidfd.get(), POLLIN, 0}}};
  while (true) {
    const Duration left = deadline - host::sys::now();
    heard.overran = heard.overran || left <= Duration::zero();
    heard.given_up = heard.given_up || (give_up && give_up());
    const bool over = heard.overran || heard.given_up;
    if (over) (void)host::sys::signal_process(child.pidfd.get(), SIGKILL);
    const Duration wait = give_up ? std::min(left, kAskEvery) : left;
    (void)host::sys::poll(fds, over ? Duration::zero() : wait);
    if (fds[0].fd >= 0 && !drain(fds[0].fd, heard.said)) fds[0].fd = -1;
    if (fds[1].fd >= 0 && !drain(fds[1].fd, heard.errors)) fds[1].fd = -1;
    if (fds[2].revents == 0 && !over) continue;
    if (const auto exit = host::sys::reap(child.pidfd.get())) heard.exit = *exit;
    if (fds[0].fd >= 0) (void)drain(fds[0].fd, heard.said);
    if (fds[1].fd >= 0) (void)drain(fds[1].fd, heard.errors);
    return heard;
  }
}

ChildFindings run_in_child(const scenario::Scenario& scenario, Duration limit, wire::Codec codec) {
  return find_in_child([&] { return CaseRunner().run(scenario, codec).findings; }, limit);
}

ChildFindings find_in_child(const std::function<std::vector<oracle::Finding>()>& run,
                            Duration limit) {
  ChildFindings apart;
  const auto add = [&apart](std::string_view signature, std::string_view sentence) {
    apart.sentences.emplace(signature, sentence);
  };
  auto child = host::fork_child([&run](int said) {
    for (const auto& finding : run()) {
      (void)host::sys::write(said, oracle::signature(finding) + "\t" + finding.what + "\n");
    }
    return 0;
  });
  if (!child) return apart;
  const ChildOutput heard = hear(*child, limit);
  if (heard.overran) {
    add(kStuckSignature, "the simulated run did not end");
  } else if (heard.exit != ExitStatus{}) {
    const std::string signature = crash_signature(heard.exit, heard.errors);
    add(signature, signature);
  }
  for (std::string_view rest = heard.said; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t tab = std::min(line.size(), line.find('\t'));
    add(line.substr(0, tab), line.substr(std::min(line.size(), tab + 1)));
  }
  return apart;
}

}  // namespace poolproof::search

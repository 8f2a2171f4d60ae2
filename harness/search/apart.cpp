#include "harness/search/apart.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "harness/oracle/oracle.hpp"
#include "harness/search/case.hpp"
#include "harness/search/crash_allowance.hpp"
#include "harness/search/last_words.hpp"

namespace poolproof::search {
namespace {

constexpr std::size_t kWordsMost = std::size_t{16} << 20U;

/// Reads what is in the pipe. False at its end.
bool drain(int fd, std::string& into) {
  std::array<char, 16384> chunk{};
  while (true) {
    const auto got = host::sys::read(fd, chunk);
    if (!got) return got.error() == EAGAIN;
    if (*got == 0) return false;
    into.append(chunk.data(), std::min(*got, kWordsMost - std::min(kWordsMost, into.size())));
  }
}

}  // namespace

LastWords hear(host::Offshoot& offshoot, Duration limit) {
  LastWords heard;
  const Time deadline = after(host::sys::now(), limit);
  std::array<pollfd, 3> fds{{{offshoot.said.get(), POLLIN, 0},
                             {offshoot.errors.get(), POLLIN, 0},
                             {offshoot.pidfd.get(), POLLIN, 0}}};
  while (true) {
    const Duration left = deadline - host::sys::now();
    if (left <= Duration::zero()) {
      heard.overran = true;
      (void)host::sys::signal_process(offshoot.pidfd.get(), SIGKILL);
    }
    (void)host::sys::poll(fds, std::max(left, Duration::zero()));
    if (fds[0].fd >= 0 && !drain(fds[0].fd, heard.said)) fds[0].fd = -1;
    if (fds[1].fd >= 0 && !drain(fds[1].fd, heard.errors)) fds[1].fd = -1;
    if (fds[2].revents == 0 && !heard.overran) continue;
    if (const auto exit = host::sys::reap(offshoot.pidfd.get())) heard.exit = *exit;
    if (fds[0].fd >= 0) drain(fds[0].fd, heard.said);
    if (fds[1].fd >= 0) drain(fds[1].fd, heard.errors);
    return heard;
  }
}

bool Apart::failed_with(const std::string& signature) const {
  return std::find(signatures.begin(), signatures.end(), signature) != signatures.end();
}

std::string Apart::sentence_of(const std::string& signature) const {
  const auto found = std::find(signatures.begin(), signatures.end(), signature);
  return found == signatures.end()
             ? ""
             : sentences[static_cast<std::size_t>(found - signatures.begin())];
}

Apart run_apart(const scenario::Scenario& scenario, Duration limit, wire::Codec codec) {
  return find_apart([&] { return CaseRunner().run(scenario, codec).findings; }, limit);
}

Apart find_apart(const std::function<std::vector<oracle::Finding>()>& run, Duration limit) {
  Apart apart;
  const auto add = [&apart](std::string_view signature, std::string_view sentence) {
    apart.signatures.emplace_back(signature);
    apart.sentences.emplace_back(sentence);
  };
  auto offshoot = host::fork_off([&run](int said) {
    for (const auto& finding : run()) {
      (void)host::sys::write(said, oracle::signature(finding) + "\t" + finding.what + "\n");
    }
    return 0;
  });
  if (!offshoot) return apart;
  const LastWords heard = hear(*offshoot, limit);
  if (heard.overran) {
    add(kStuckSignature, "the simulated run did not end");
  } else if (heard.exit != ExitStatus{}) {
    const std::string signature = signature_of_end(heard.exit, heard.errors);
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

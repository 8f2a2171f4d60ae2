#include <array>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "harness/host/system.hpp"

/// The system calls for a socket that is both streams of a worker.
namespace poolproof::host::sys {
namespace {

/// A question to the kernel: what is in the socket with this inode?
struct Question {
  nlmsghdr header{};
  unix_diag_req about{};
};

/// How many bytes wait in that socket to be read, by the kernel's `answer`.
Try<std::size_t> queued_in(std::span<const char> answer) {
  nlmsghdr header{};
  if (answer.size() < sizeof header) return unexpected(EPROTO);
  std::memcpy(&header, answer.data(), sizeof header);
  constexpr std::size_t kBegin = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(unix_diag_msg));
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return unexpected(ENOENT);
  const std::size_t end = std::min<std::size_t>(header.nlmsg_len, answer.size());
  rtattr attribute{};
  for (std::size_t at = kBegin; at + sizeof attribute <= end; at += RTA_ALIGN(attribute.rta_len)) {
    std::memcpy(&attribute, answer.data() + at, sizeof attribute);
    if (attribute.rta_len < sizeof attribute || at + attribute.rta_len > end) break;
    unix_diag_rqlen queues{};
    if (attribute.rta_type != UNIX_DIAG_RQLEN || attribute.rta_len < RTA_LENGTH(sizeof queues))
      continue;
    std::memcpy(&queues, answer.data() + at + RTA_LENGTH(0), sizeof queues);
    return queues.udiag_rqueue;
  }
  return unexpected(ENOENT);
}

Try<std::size_t> ask_kernel(std::uint32_t inode) {
  const Descriptor kernel(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!kernel) return unexpected(errno);
  Question question;
  question.header = {sizeof question, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0};
  question.about.sdiag_family = AF_UNIX;
  question.about.udiag_states = ~0U;
  question.about.udiag_ino = inode;
  question.about.udiag_show = UDIAG_SHOW_RQLEN;
  question.about.udiag_cookie[0] = ~0U;
  question.about.udiag_cookie[1] = ~0U;
  if (::send(kernel.get(), &question, sizeof question, 0) < 0) return unexpected(errno);
  std::array<char, 1024> answer{};
  const ssize_t got = ::recv(kernel.get(), answer.data(), answer.size(), MSG_DONTWAIT);
  if (got < 0) return unexpected(errno);
  return queued_in(std::span(answer).first(static_cast<std::size_t>(got)));
}

}  // namespace

Try<SocketPair> socket_pair() {
  if (const int planned = planned_failure(Call::pipe)) return unexpected(planned);
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return unexpected(errno);
  return SocketPair(Descriptor(ends[0]), Descriptor(ends[1]));
}

std::uint32_t inode_of(int socket_fd) {
  struct stat what {};
  const bool is_socket = ::fstat(socket_fd, &what) == 0 && S_ISSOCK(what.st_mode);
  return is_socket ? static_cast<std::uint32_t>(what.st_ino) : 0;
}

Try<std::size_t> unread_by_peer(int socket_fd, std::uint32_t peer) {
  int held = 0;  // the kernel's memory for them: more than the bytes, and 0 only if there are none
  if (::ioctl(socket_fd, SIOCOUTQ, &held) != 0) return unexpected(errno);
  if (held == 0) return 0;
  return ask_kernel(peer);
}

bool peer_reads(int socket_fd) {
  return ::send(socket_fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0;
}

bool peer_ended(int socket_fd) {
  char next = 0;
  const ssize_t got = ::recv(socket_fd, &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

void end_output(int socket_fd) {
  ::shutdown(socket_fd, SHUT_WR);
}

}  // namespace poolproof::host::sys

#include "harness/wire/exchange.hpp"

#include <array>
#include <cerrno>

namespace poolproof::wire {
namespace {

using namespace std::chrono_literals;

/// How long we wait for the exit of a worker after it closed a pipe.
constexpr Duration kExitWait = 250ms;
/// The most reads in a row before the clock is looked at again: a worker that floods its stdout
/// with what it may say must not hide the deadline.
constexpr int kReadsAtOnce = 16;
/// The most bytes that a pipe may hold.
constexpr std::uint64_t kPipeMostBytes = 1U << 20U;

}  // namespace

/// Nothing may lie in stdout before a call: it would be taken for the reply.
void Exchange::look_before(std::string_view carried) {
  if (!carried.empty()) conversation_.heard_before(carried);
  // Bounded: a worker that floods its stdout with notifications is sent its request all the same.
  constexpr int kRounds = 4096;
  std::array<char, 64> chunk{};
  for (int round = 0; round < kRounds && !decided(); ++round) {
    const auto got = pipes_.read(chunk);
    if (!got && got.error() == EAGAIN) return;
    const std::string_view bytes(chunk.data(), got.value_or(0));
    bytes.empty() ? conversation_.found_stale({}) : conversation_.heard_before(bytes);
  }
}

void Exchange::write_some(Time now) {
  while (wants_to_write()) {
    const auto wrote = pipes_.write(conversation_.pending_output());
    if (wrote) {
      conversation_.wrote(*wrote);
    } else if (wrote.error() == EAGAIN) {
      return;
    } else {
      stdin_broken_ = true;
      stdin_errno_ = wrote.error();
      give_up_at_ = std::min(give_up_at_, after(now, kExitWait));
    }
  }
}

void Exchange::read_some(Time now) {
  std::array<char, 65536> chunk;  // NOLINT(*-member-init): only what was read is looked at
  for (int reads = 0; reads < kReadsAtOnce && !stdout_ended_ && !conversation_.decided(); ++reads) {
    const auto got = pipes_.read(chunk);
    if (!got && got.error() == EAGAIN) return;
    if (!got || *got == 0) {
      stdout_ended_ = true;
      give_up_at_ = std::min(give_up_at_, after(now, kExitWait));
      return;
    }
    conversation_.read(std::string_view(chunk.data(), *got));
    // A short read has emptied the pipe: another read would only return EAGAIN.
    if (*got < chunk.size()) return;
  }
}

/// A grandchild that holds the pipe open, or floods it, does not delay us: only what is in the pipe
/// now counts.
bool Exchange::process_ended(Time now) {
  process_ended_ = true;
  const std::uint64_t most = conversation_.read_bytes() + kPipeMostBytes;
  while (!stdout_ended_ && !conversation_.decided() && conversation_.read_bytes() < most) {
    const auto before = conversation_.read_bytes();
    read_some(now);
    if (conversation_.read_bytes() == before) break;
  }
  return conversation_.decided();
}

void Exchange::cancel() {
  conversation_.cancel();
  doubt_if_broken();
}

void Exchange::doubt_if_broken() {
  if (stdin_broken_ && conversation_.decided()) conversation_.write_failed(stdin_errno_);
}

void Exchange::tick(Time now) {
  conversation_.tick(now);
  doubt_if_broken();
  if (conversation_.decided() || now < give_up_at_) return;
  if (stdout_ended_) return conversation_.output_closed();
  conversation_.write_failed(stdin_errno_);
}

}  // namespace poolproof::wire

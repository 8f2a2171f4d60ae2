#include "harness/sim/worker.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace poolproof::sim {
namespace {

constexpr std::uint8_t kOwnRoles = Agenda::bit_of(Role::greet) | Agenda::bit_of(Role::end) |
                                   Agenda::bit_of(Role::watch) | Agenda::bit_of(Role::text) |
                                   Agenda::bit_of(Role::process);

}  // namespace

void Worker::start(faults::BrainConfig config) {
  id_ = config.self;
  pipes_.worker = number_;
  for (const auto what : {Shared::in, Shared::out, Shared::err, Shared::errands, Shared::state,
                          Shared::kept, Shared::wake}) {
    machine_.writes(what, number_);
  }
  pipes_.in.open();
  pipes_.out.open();
  pipes_.err.open();
  stdin_open_ = stdout_open_ = stderr_open_ = true;
  stderr_tail_.clear();
  greeting.reset();
  watched = reaped = end_told = forgotten = false;
  watch_at = suspect_at = kNever;
  told_to_go = pool::RemovalReason::none;
  ping_bytes = 0;
  next_request = 1;
  holders = 0;
  call = nullptr;
  end_awaited = stop_asked = false;
  process_.start(machine_, pipes_, std::move(config), machine_.next_pid++);
}

Expected<std::size_t, int> Worker::write(std::string_view bytes) {
  machine_.writes(Shared::in, number_);
  if (!stdin_open_) return unexpected(EBADF);
  return pipes_.in.write(bytes);
}

Expected<std::size_t, int> Worker::read(std::span<char> into) {
  machine_.writes(Shared::out, number_);
  const std::size_t there = std::min(pipes_.out.unread(), into.size());
  return pipes_.out.read(into.subspan(0, there == 0 ? into.size() : machine_.torn(there)));
}

Expected<std::size_t, int> Worker::unread() const {
  machine_.reads(Shared::in, number_);
  if (!stdin_open_) return unexpected(EBADF);
  return pipes_.in.unread();
}

bool Worker::nobody_reads() const {
  machine_.reads(Shared::in, number_);
  return !pipes_.in.has_reader();
}

void Worker::close_stdin() {
  machine_.writes(Shared::in, number_);
  if (std::exchange(stdin_open_, false)) pipes_.in.drop_writer();
}

void Worker::close_all() {
  close_stdin();
  machine_.writes(Shared::out, number_);
  machine_.writes(Shared::err, number_);
  if (std::exchange(stdout_open_, false)) pipes_.out.drop_reader();
  if (std::exchange(stderr_open_, false)) pipes_.err.drop_reader();
}

void Worker::drain_stderr(std::size_t tail_bytes) {
  machine_.writes(Shared::err, number_);
  std::array<char, 4096> chunk;  // NOLINT(*-member-init): only what was read is looked at
  while (stderr_open_ && pipes_.err.unread() > 0) {
    const auto got = pipes_.err.read(chunk);
    if (!got) return;
    stderr_tail_.append(chunk.data(), *got);
    if (stderr_tail_.size() > tail_bytes) stderr_tail_.erase(0, stderr_tail_.size() - tail_bytes);
  }
}

void Worker::look() {
  machine_.reads(Shared::wake, number_);
  Agenda& agenda = machine_.agenda;
  const bool readable = pipes_.out.readable();
  const bool ended = process_.state() == Process::State::ended && !reaped;
  const auto due = [this](Time at) { return at <= machine_.now; };

  const Time greeting_due = greeting ? greeting->next_deadline() : kNever;
  const bool talks = readable && greeting && !greeting->stdout_ended();
  const Time watch_due = std::min(watch_at, suspect_at);
  const bool watches = watched && !reaped && readable;
  std::uint8_t ready = 0;
  const auto is_ready = [&ready](Role role, bool whether) {
    if (whether) ready |= Agenda::bit_of(role);
  };
  is_ready(Role::greet, talks || due(greeting_due));
  is_ready(Role::end, ended || (reaped && !end_told));
  is_ready(Role::watch, watches || due(watch_due));
  is_ready(Role::text, stderr_open_ && pipes_.err.unread() > 0);
  is_ready(Role::process, process_.can_go());
  agenda.set_ready(number_, kOwnRoles, ready);

  agenda.set_times(number_, greeting_due, watch_due, process_.wakes_at(),
                   process_.offspring_ends_at());

  if (call == nullptr) return;
  const bool moves = (call->wants_to_read() && readable) ||
                     (call->wants_to_write() && (!stdin_open_ || pipes_.in.writable())) || ended;
  const bool over =
      end_awaited ? reaped : moves || reaped || stop_asked || due(call->next_deadline());
  agenda.set_ready(task_of(Role::client, caller), over);
}

void Worker::drop_tasks() {
  for (const Role role : {Role::greet, Role::end, Role::watch, Role::text, Role::process}) {
    machine_.agenda.drop(task_of(role, number_));
  }
}

}  // namespace poolproof::sim

#include "harness/sim/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace poolproof::sim {
namespace {

constexpr std::uint8_t kOwnRoles = Agenda::bit_of(Role::handshake) | Agenda::bit_of(Role::end) |
                                   Agenda::bit_of(Role::watch) | Agenda::bit_of(Role::text) |
                                   Agenda::bit_of(Role::process);

constexpr std::size_t kStderrTailBytes = 4096;

}  // namespace

Worker::Worker(Machine& machine, std::uint32_t number)
    : pool::Worker({}, kStderrTailBytes), machine_(machine), number_(number) {}

void Worker::start(faults::BrainConfig config) {
  begin_again(config.self);
  pipes_.worker = number_;
  for (const auto what : {Shared::in, Shared::out, Shared::err, Shared::work, Shared::state,
                          Shared::kept, Shared::wake}) {
    machine_.writes(what, number_);
  }
  pipes_.in.open();
  pipes_.out.open();
  pipes_.err.open();
  stdin_open_ = stdout_open_ = stderr_open_ = true;
  forgotten = stop_asked = false;
  call = nullptr;
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

Expected<std::size_t, int> Worker::unread_output() const {
  machine_.reads(Shared::out, number_);
  return pipes_.out.unread();
}

bool Worker::output_ended() const {
  machine_.reads(Shared::out, number_);
  return pipes_.out.unread() == 0 && !pipes_.out.has_writer();
}

Expected<std::size_t, int> Worker::read_stderr(std::span<char> into) {
  machine_.writes(Shared::err, number_);
  if (!stderr_open_) return unexpected(EBADF);
  return pipes_.err.read(into);
}

Expected<std::optional<ExitStatus>, int> Worker::peek_exit() const {
  machine_.reads(Shared::state, number_);
  if (process_.state() != Process::State::ended) return std::nullopt;
  return process_.exit();
}

Expected<ExitStatus, int> Worker::reap() {
  process_.reap();
  return process_.exit();
}

void Worker::look() {
  machine_.reads(Shared::wake, number_);
  Agenda& agenda = machine_.agenda;
  const bool readable = pipes_.out.readable();
  const bool ended = process_.state() == Process::State::ended && !reaped;
  const auto due = [this](Time at) { return at <= machine_.now; };
  const Wants wants = this->wants();

  std::uint8_t ready = 0;
  const auto is_ready = [&ready](Role role, bool whether) {
    if (whether) ready |= Agenda::bit_of(role);
  };
  const bool talks = wants.output && readable;
  is_ready(Role::handshake, (talks && handshake) || due(wants.handshake_due));
  is_ready(Role::end, (wants.end && ended) || (reaped && !exit_reported));
  is_ready(Role::watch, (talks && !handshake) || due(wants.idle_due));
  is_ready(Role::text, wants.text && pipes_.err.unread() > 0);
  is_ready(Role::process, process_.can_go());
  agenda.set_ready(number_, kOwnRoles, ready);

  agenda.set_times(number_, wants.handshake_due, wants.idle_due, process_.wakes_at(),
                   process_.offspring_ends_at());
  if (call != nullptr) look_at_call(readable, ended);
}

/// Makes the client of a call ready if something has happened that its exchange waits for.
void Worker::look_at_call(bool readable, bool ended) {
  const bool moves = (call->wants_to_read() && readable) ||
                     (call->wants_to_write() && (!stdin_open_ || pipes_.in.writable())) ||
                     (call->wants_end() && (ended || reaped));
  const bool over = moves || stop_asked || call->next_deadline() <= machine_.now;
  machine_.agenda.set_ready(task_of(Role::client, caller),
                            call->wants_exit_status() ? reaped : over);
}

void Worker::drop_tasks() {
  for (const Role role : {Role::handshake, Role::end, Role::watch, Role::text, Role::process}) {
    machine_.agenda.drop(task_of(role, number_));
  }
}

}  // namespace poolproof::sim

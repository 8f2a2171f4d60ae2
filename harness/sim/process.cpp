#include "harness/sim/process.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "harness/base/assert.hpp"
#include "harness/base/signals.hpp"

namespace poolproof::sim {
namespace {

using faults::JournalRecord;

constexpr std::size_t kReadBytes = 65'536;
/// About how much memory the program takes before it is asked for anything.
constexpr std::uint64_t kRssAtStart = 4'000'000;

/// Whether that signal ends a worker. Workers survive SIGPIPE and SIGALRM.
bool ends_workers(int signal) {
  return is_deadly(signal) && signal != SIGPIPE && signal != SIGALRM;
}

/// The request that these actions answer; null: they answer none.
const faults::Request* request_of(const faults::Actions& actions) {
  const auto* noted = actions.empty() ? nullptr : std::get_if<faults::Journal>(&actions.front());
  return noted != nullptr && noted->kind == JournalRecord::Kind::read ? noted->read : nullptr;
}

/// Whether the actions answer a call: neither the init ping nor a request to shut down.
bool is_call(const faults::Actions& actions) {
  const auto* request = request_of(actions);
  return request != nullptr && request->command != "ping" && request->command != "initialize" &&
         request->command != "shutdown";
}

/// Whether a worker acts so when it was told to go: by a request, by a notification, by the end of
/// its input.
bool is_farewell(const faults::Actions& actions) {
  if (actions.empty()) return false;
  const auto* noted = std::get_if<faults::Journal>(&actions.front());
  const auto* request = request_of(actions);
  if (request != nullptr) return request->command == "shutdown";
  return noted != nullptr && (noted->kind == JournalRecord::Kind::stdin_end ||
                              noted->kind == JournalRecord::Kind::exiting);
}

}  // namespace

void Process::start(Machine& machine, Pipes& pipes, faults::BrainConfig config, std::int64_t pid) {
  machine_ = &machine;
  pipes_ = &pipes;
  self_ = config.self;
  pid_ = pid;
  state_ = State::running;
  depth_ = 0;
  stopped_ = term_came_ = false;
  deadly_came_ = 0;
  held_ = {true, true, true};
  exit_ = {};
  rss_bytes_ = kRssAtStart;
  offspring_.clear();
  brain_ ? brain_->begin(std::move(config)) : void(brain_.emplace(std::move(config)));
  brain_->start(fresh_work());
  begin_work();
}

bool Process::can_go() const {
  if (state_ != State::running) {
    return state_ == State::exiting;
  }
  if (stopped_) return false;
  if (term_came_) return true;
  if (has_work()) {
    const Work& work = top();
    return work.until == kNever ? !blocked() : work.until <= machine_->now;
  }
  if (brain_->holds_request()) return true;
  return brain_->wants() > 0 && (!held_.in || pipes_->in.readable());
}

Time Process::wakes_at() const {
  const bool pausing = state_ == State::running && !stopped_ && has_work();
  return pausing ? top().until : kNever;
}

bool Process::blocked() const {
  const auto& action = top().actions[top().next];
  if (std::holds_alternative<faults::Write>(action)) return held_.out && !pipes_->out.writable();
  if (std::holds_alternative<faults::WriteStderr>(action)) return !pipes_->err.writable();
  return false;
}

void Process::go() {
  constexpr std::uint32_t kOrders = 2;
  touch(Shared::work);
  if (!can_go()) return;
  if (state_ == State::exiting) {
    // A kernel closes what a process had open before it tells of its end. Somebody may look in
    // between; else those who wait for its pipes and those who wait for its exit learn of it in any
    // order.
    const bool pipes_first = !held_.in || machine_->schedule->below(kOrders) == 0;
    const bool looked_at = pipes_first && held_.any();
    close_all();
    if (looked_at) return;
    touch(Shared::state);
    state_ = State::ended;
    return;
  }
  if (std::exchange(term_came_, false)) {
    faults::Actions& actions = fresh_work();
    brain_->term(actions);
    take_time_to_leave(actions);
    return begin_work();
  }
  has_work() ? act() : think();
}

/// Reads of its stdin what it is willing to read, until there is something to do or a read was cut
/// short.
void Process::read_some(faults::Actions& actions) {
  touch(Shared::in);
  std::size_t there = held_.in ? pipes_->in.unread() : 0;
  if (there == 0) brain_->end_of_input(actions);
  while (there > 0) {
    const std::size_t most = std::min({there, brain_->wants(), kReadBytes});
    if (most == 0) break;
    buffer_.resize(machine_->torn(most));
    const auto got = pipes_->in.read(buffer_);
    POOLPROOF_ASSERT(got && *got == buffer_.size());
    brain_->read(buffer_, actions);
    if (*got < most || !actions.empty()) break;
    there = pipes_->in.unread();
  }
}

void Process::think() {
  faults::Actions& actions = fresh_work();
  brain_->holds_request() ? brain_->go_on(actions) : read_some(actions);
  if (is_farewell(actions)) take_time_to_leave(actions);
  const Duration takes = is_call(actions) ? machine_->worker_time() : Duration::zero();
  if (takes == Duration::zero()) return begin_work();
  ++depth_;
  act();  // notes that the request was read; the rest follows after the pause
  if (!has_work()) return;
  fresh_work().emplace_back(faults::Pause{takes});
  ++depth_;
}

/// Puts a pause before the exit and its note in the journal, which then says nothing of the pause.
void Process::take_time_to_leave(faults::Actions& actions) {
  constexpr std::ptrdiff_t kNoteAndExit = 2;
  if (actions.empty() || !std::holds_alternative<faults::Exit>(actions.back())) return;
  const Duration takes = machine_->worker_time();
  if (takes == Duration::zero()) return;
  actions.insert(actions.end() - kNoteAndExit, faults::Pause{takes});
}

/// Carries out the action that is next. It must not be looked at after finish_action().
void Process::act() {
  std::visit([this](auto& one) { carry_out(one); }, top().actions[top().next]);
}

void Process::finish_action() {
  Work& work = top();
  ++work.next;
  work.written = 0;
  work.until = kNever;
  while (has_work() && top().next >= top().actions.size()) --depth_;
}

/// Where the Brain puts what it wants done; begin_work() makes it the work on top.
faults::Actions& Process::fresh_work() {
  if (work_.size() == depth_) work_.emplace_back();
  Work& work = work_[depth_];
  work.actions.clear();
  work.next = work.written = 0;
  work.until = kNever;
  return work.actions;
}

/// Makes the fresh work the one on top. What the worker notes in its journal before it does
/// anything is noted at once: nobody could see whether time went by in between.
void Process::begin_work() {
  if (work_[depth_].actions.empty()) return;
  ++depth_;
  note_at_once();
}

void Process::note_at_once() {
  const std::size_t depth = depth_;
  while (depth_ == depth && std::holds_alternative<faults::Journal>(top().actions[top().next])) {
    act();
  }
}

void Process::carry_out(const faults::Write& write) {
  touch(Shared::out);
  Work& work = top();
  work.until = kNever;
  const std::size_t size = write.bytes.size();
  if (work.written == size) return finish_action();
  const std::size_t chunk = write.chunk_bytes == 0 ? size : write.chunk_bytes;
  const std::size_t end = std::min(size, (work.written / chunk + 1) * chunk);
  if (held_.out) {
    const auto took =
        pipes_->out.write(std::string_view(write.bytes).substr(work.written, end - work.written));
    if (!took && !pipes_->out.has_reader()) return leave();
    if (!took) return;
    work.written += *took;
  } else {
    work.written = end;
  }
  if (work.written < end) return;
  if (write.gap > Duration{0}) {
    work.until = after(machine_->now, write.gap);
  } else if (work.written == size) {
    finish_action();
  }
}

void Process::carry_out(const faults::WriteStderr& write) {
  touch(Shared::err);
  Work& work = top();
  const auto took = pipes_->err.write(std::string_view(write.text).substr(work.written));
  if (took) work.written += *took;
  if (work.written == write.text.size() || !pipes_->err.has_reader()) finish_action();
}

void Process::carry_out(const faults::Pause& pause) {
  Work& work = top();
  if (work.until == kNever) work.until = after(machine_->now, pause.span);
  if (work.until > machine_->now) return;
  finish_action();
  if (has_work()) note_at_once();
}

void Process::carry_out(const faults::Compute& compute) {
  faults::PrimeCount count(compute.below);
  count.run(compute.below);
  finish_action();
  brain_->computed(count.found(), fresh_work());
  begin_work();
}

void Process::carry_out(const faults::Grow& grow) {
  rss_bytes_ += grow.bytes;
  finish_action();
}

void Process::carry_out(const faults::Raise& raised) {
  const int signal = raised.signal;
  finish_action();
  if (is_stopping(signal)) {
    stopped_ = true;
  } else if (is_deadly(signal)) {
    end({0, signal});
  }
}

void Process::carry_out(const faults::CloseStdout&) {
  touch(Shared::out);
  drop({false, std::exchange(held_.out, false), false});
  finish_action();
}

void Process::carry_out(const faults::CloseStdin&) {
  touch(Shared::in);
  drop({std::exchange(held_.in, false), false, false});
  finish_action();
}

void Process::carry_out(const faults::HoldBack&) {
  brain_->held_back();
  finish_action();
}

void Process::carry_out(const faults::Fork& fork) {
  touch_pipes();
  machine_->writes(Shared::pids);
  if (held_.in) pipes_->in.add_reader();
  if (held_.out) pipes_->out.add_writer();
  if (held_.err) pipes_->err.add_writer();
  offspring_.push_back({machine_->next_pid++, after(machine_->now, fork.lifetime), held_});
  faults::Journal grandchild{JournalRecord::Kind::grandchild};
  grandchild.child_pid = offspring_.back().pid;
  carry_out(grandchild);
}

void Process::carry_out(const faults::Journal& journal) {
  machine_->writes(Shared::journal);
  trace::WorkerRecord& record = machine_->trace.workers.emplace_back();
  record.at = machine_->now;
  record.worker = self_;
  record.pid = pid_;
  journal.put_into(record.record);
  finish_action();
}

/// Nobody reads its stdout any more: as a Python worker does, it leaves without a word.
void Process::leave() {
  carry_out(faults::Journal{JournalRecord::Kind::exiting});
  end({0, 0});
}

void Process::end(ExitStatus exit) {
  touch(Shared::state);
  depth_ = 0;
  stopped_ = false;
  exit_ = exit;
  state_ = State::exiting;
}

void Process::close_all() {
  touch_pipes();
  drop(std::exchange(held_, {}));
}

/// Gives up these ends of its pipes, for one process that held them.
void Process::drop(const Held& ends) {
  if (ends.in) pipes_->in.drop_reader();
  if (ends.out) pipes_->out.drop_writer();
  if (ends.err) pipes_->err.drop_writer();
}

void Process::touch_pipes() const {
  for (const auto what : {Shared::in, Shared::out, Shared::err}) touch(what);
}

// ---- signals -----------------------------------------------------------------------------------

void Process::signal(int signal) {
  touch(Shared::work);
  if (state_ != State::running) return;
  if (signal == SIGKILL) return end({0, SIGKILL});
  if (is_stopping(signal)) {
    stopped_ = true;
  } else if (signal == SIGCONT) {
    stopped_ = false;
    if (deadly_came_ != 0) end({0, deadly_came_});
  } else if (signal == SIGTERM) {
    term_came_ = true;
  } else if (ends_workers(signal)) {
    stopped_ ? void(deadly_came_ = signal) : end({0, signal});
  }
}

void Process::signal_group(int signal) {
  this->signal(signal);
  if (signal != SIGKILL && signal != SIGTERM) return;
  while (!offspring_.empty()) drop_offspring(offspring_.size() - 1);
}

void Process::reap() {
  close_all();
  touch(Shared::work);
  touch(Shared::state);
  state_ = State::none;
}

void Process::clear() {
  state_ = State::none;
  offspring_.clear();
}

void Process::end_offspring() {
  touch(Shared::work);
  for (std::size_t i = offspring_.size(); i > 0; --i) {
    if (offspring_[i - 1].ends <= machine_->now) drop_offspring(i - 1);
  }
}

Time Process::offspring_ends_at() const {
  Time earliest = kNever;
  for (const Offspring& one : offspring_) earliest = std::min(earliest, one.ends);
  return earliest;
}

void Process::drop_offspring(std::size_t which) {
  touch_pipes();
  drop(offspring_[which].held);
  offspring_.erase(offspring_.begin() + static_cast<std::ptrdiff_t>(which));
}

}  // namespace poolproof::sim

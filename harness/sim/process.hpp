#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fake_workers/brain.hpp"
#include "harness/base/clock.hpp"
#include "harness/sim/machine.hpp"
#include "harness/sim/pipe.hpp"

namespace poolproof::sim {

/// The three pipes of a worker.
struct Pipes {
  Pipe in;   ///< the worker's stdin
  Pipe out;  ///< the worker's stdout
  Pipe err;  ///< the worker's stderr
  /// The number of the worker.
  std::uint32_t worker = 0;
};

/// A worker process: carries a Brain's actions out, one at a time, on simulated pipes, and takes
/// signals as a process does that handles TERM. What it leaves behind shares its group and its
/// pipes.
class Process {
 public:
  enum class State : std::uint8_t {
    none,  ///< not started, or reaped
    running,
    exiting,  ///< its end is decided; its pipes are open, its parent does not know yet
    ended     ///< a zombie until reaped
  };

  /// Which ends of the worker's pipes somebody holds open.
  struct Held {
    bool in = false;
    bool out = false;
    bool err = false;

    [[nodiscard]] bool any() const { return in || out || err; }
  };
  /// A process that the worker has left behind.
  struct Offspring {
    std::int64_t pid;
    Time ends;
    Held held;
  };

  void start(Machine& machine, Pipes& pipes, faults::BrainConfig config, std::int64_t pid);

  /// Makes one step: one action, one read, one signal noticed, or one half of an exit.
  void go();
  [[nodiscard]] bool can_go() const;
  [[nodiscard]] Time wakes_at() const;

  void signal(int signal);
  void signal_group(int signal);
  void reap();
  /// Makes it as if neither it nor what it left behind had ever been.
  void clear();
  /// Ends those left behind whose time has come.
  void end_offspring();
  [[nodiscard]] Time offspring_ends_at() const;
  [[nodiscard]] const std::vector<Offspring>& offspring() const { return offspring_; }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] bool alive() const { return state_ == State::running; }
  [[nodiscard]] std::int64_t pid() const { return pid_; }
  [[nodiscard]] ExitStatus exit() const { return exit_; }
  [[nodiscard]] std::uint64_t rss_bytes() const { return rss_bytes_; }

 private:
  /// Actions under way. TERM puts its own on top.
  struct Work {
    faults::Actions actions;  ///< empty: only its memory is kept, to be used again
    std::size_t next = 0;
    std::size_t written = 0;  ///< bytes already written by the write under way
    Time until = kNever;      ///< when the pause under way ends; kNever: none is
  };
  void think();
  void take_time_to_leave(faults::Actions& actions);
  void read_some(faults::Actions& actions);
  void act();
  void finish_action();
  faults::Actions& fresh_work();
  void begin_work();
  void note_at_once();
  [[nodiscard]] bool blocked() const;
  [[nodiscard]] bool has_work() const { return depth_ > 0; }
  [[nodiscard]] Work& top() { return work_[depth_ - 1]; }
  [[nodiscard]] const Work& top() const { return work_[depth_ - 1]; }
  void carry_out(const faults::Write& write);
  void carry_out(const faults::WriteStderr& write);
  void carry_out(const faults::Pause& pause);
  void carry_out(const faults::Compute& compute);
  void carry_out(const faults::Grow& grow);
  void carry_out(const faults::Exit& exit) { end({exit.code, 0}); }
  void carry_out(const faults::Raise& raised);
  void carry_out(const faults::CloseStdout&);
  void carry_out(const faults::CloseStdin&);
  void carry_out(const faults::StopReading&) { finish_action(); }
  void carry_out(const faults::HoldBack&);
  void carry_out(const faults::Fork& fork);
  void carry_out(const faults::Journal& journal);
  void leave();
  void end(ExitStatus exit);
  void close_all();
  void drop(const Held& ends);
  void touch_pipes() const;
  void drop_offspring(std::size_t which);
  void touch(Shared what) const { machine_->writes(what, pipes_->worker); }

  Machine* machine_ = nullptr;
  Pipes* pipes_ = nullptr;
  WorkerId self_;
  std::int64_t pid_ = 0;
  State state_ = State::none;
  std::optional<faults::Brain> brain_;
  std::vector<Work> work_;
  std::size_t depth_ = 0;  ///< how many of work_ are under way, the last one on top
  bool stopped_ = false;
  bool term_came_ = false;
  int deadly_came_ = 0;  ///< a deadly signal that came while stopped: it acts when continued
  Held held_;
  ExitStatus exit_;
  std::uint64_t rss_bytes_ = 0;
  std::vector<Offspring> offspring_;
  std::string buffer_;
};

}  // namespace poolproof::sim

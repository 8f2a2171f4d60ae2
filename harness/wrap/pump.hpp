#pragma once

#include <array>
#include <cstddef>
#include <poll.h>
#include <span>
#include <string>

#include "harness/wrap/system.hpp"

namespace poolproof::wrap {

/// Moves bytes from one stream to another without looking at them; between two pipes, inside the
/// system. Holds no more than one read, and reads nothing while the other side takes nothing. When
/// one of the two streams ends, the other one is closed, too.
class Pump {
 public:
  Pump(sys::Stream& from, sys::Stream& to)
      : from_(from),
        to_(to),
        splices_(from.kind() == sys::Kind::pipe && to.kind() == sys::Kind::pipe) {}

  /// What the pump waits for, as two entries for poll.
  [[nodiscard]] std::array<pollfd, 2> waits_for() const;
  /// Goes on by what poll said of these two entries.
  void go_on(std::span<const pollfd> said);
  /// Moves everything that is there already, as far as the other side takes it.
  void drain();
  [[nodiscard]] bool over() const { return !from_; }

 private:
  bool splice_some();
  bool copy_some();
  bool move() { return splices_ ? splice_some() : copy_some(); }
  void close();

  sys::Stream& from_;
  sys::Stream& to_;
  bool splices_;
  bool full_ = false;  ///< the other side takes nothing at present
  std::string buffer_;
  std::size_t begun_ = 0;
  std::size_t held_ = 0;
};

}  // namespace poolproof::wrap

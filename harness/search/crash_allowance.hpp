#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace poolproof::search {

/// The signature of a case that did not end.
inline constexpr const char* kStuckSignature = "stuck";

/// Decides how often a sweep may crash before it gives up. A crash costs its case and a new
/// process, and a case without end costs much more; yet a frequent crash must not hide a rare one.
/// So each kind may occur a number of times free of charge, and each further crash must be paid for
/// with cases that were carried out. A sweep that does little but crash soon ends; one that crashes
/// now and then goes on.
class CrashAllowance {
 public:
  /// Counts one more crash, at a time when `done` cases have been carried out. False: give up.
  bool grant(const std::string& signature, std::uint64_t done);

 private:
  std::map<std::string, std::uint64_t> times_;
  std::uint64_t owed_ = 0;  ///< what is still to be paid, in cases
};

}  // namespace poolproof::search

#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace poolproof::search {

/// The signature of a case that did not end.
inline constexpr const char* kStuckSignature = "stuck";

/// How often a sweep may crash before it ends. A crash costs its case and a new process, no end of
/// a case much more; and a frequent one must not hide a rare one. So each kind may come often for
/// nothing, and what comes beyond is paid for by cases that were carried out: a sweep that does
/// little but crash is soon over, one that crashes now and then is not.
class CrashAllowance {
 public:
  /// One more, while `done` cases have been carried out. False: that is enough.
  bool grant(const std::string& signature, std::uint64_t done);

 private:
  std::map<std::string, std::uint64_t> times_;
  std::uint64_t owed_ = 0;  ///< cases
};

}  // namespace poolproof::search

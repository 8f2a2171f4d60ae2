#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/oracle/judge.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::search {

/// The result of a simulated run in a process of its own, in which it may crash, break a promise of
/// the code or never end.
struct ChildFindings {
  /// The sentence of the first finding of each signature. Empty: the run held.
  std::map<std::string, std::string> sentences;

  [[nodiscard]] bool failed_with(const std::string& signature) const {
    return sentences.contains(signature);
  }
};
ChildFindings run_in_child(const scenario::Scenario& scenario, Duration limit,
                           wire::Codec codec = wire::Codec::json);
/// Calls `run` in a process of its own, where it may crash, and returns the findings that it gives.
ChildFindings find_in_child(const std::function<std::vector<oracle::Finding>()>& run,
                            Duration limit);

/// Appends what is in a non-blocking pipe, up to a bound. False: the pipe is at its end.
bool drain(int fd, std::string& into);

/// Reads everything that `child` writes until it has ended. After `limit` it is killed, and soon
/// after `give_up` says so, which is asked now and then.
struct ChildOutput {
  std::string said;
  std::string errors;
  ExitStatus exit;
  bool overran = false;
  bool given_up = false;
};
ChildOutput hear(host::ForkedChild& child, Duration limit,
                 const std::function<bool()>& give_up = {});

/// Writes all of `text`, also when a signal comes in between. False: nobody reads it any more.
bool write_whole(int fd, std::string_view text);

}  // namespace poolproof::search

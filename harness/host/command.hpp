#pragma once

#include <string>
#include <vector>

namespace poolproof::host {

/// What to start: argv[0] is a path (taken from working_directory when it is relative) or, without
/// a slash, a name that is looked for as a shell would, in the pool's own PATH.
struct Command {
  std::vector<std::string> argv;
  std::vector<std::string> env;   ///< "NAME=value"; the whole environment, nothing is inherited
  std::string working_directory;  ///< empty: the pool's own
};

}  // namespace poolproof::host

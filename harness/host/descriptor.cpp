#include "harness/host/descriptor.hpp"

#include "harness/host/system.hpp"

namespace poolproof::host {

void Descriptor::reset() {
  const int fd = release();
  if (fd >= 0) sys::close(fd);
}

}  // namespace poolproof::host

#include "harness/base/tail.hpp"

namespace poolproof {

void Tail::append(std::string_view bytes) {
  total_ += bytes.size();
  if (bytes.size() > limit_) bytes.remove_prefix(bytes.size() - limit_);
  const std::size_t room = limit_ - bytes.size();
  if (text_.size() > room) text_.erase(0, text_.size() - room);
  text_ += bytes;
}

void Tail::clear() {
  text_.clear();
  total_ = 0;
}

}  // namespace poolproof

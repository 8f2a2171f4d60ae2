#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>

namespace poolproof::oracle {

/// Memory that is given back all at once: one block for what is usual, and more behind it when that
/// is used up. Cheaper than the library's: a judgement of a small trace asks for it scores of
/// times.
class Arena final : public std::pmr::memory_resource {
 public:
  explicit Arena(std::size_t usual_bytes)
      : usual_bytes_(usual_bytes),
        usual_(std::make_unique_for_overwrite<std::byte[]>(usual_bytes)),
        more_(usual_bytes) {}

  void release() {
    used_ = 0;
    if (overflowed_) more_.release();
    overflowed_ = false;
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    // The block itself is aligned for everything that is not aligned beyond the usual.
    const std::size_t begin = (used_ + alignment - 1) & ~(alignment - 1);
    const bool fits = alignment <= alignof(std::max_align_t) && begin <= usual_bytes_ &&
                      bytes <= usual_bytes_ - begin;
    if (!fits) {
      overflowed_ = true;
      return more_.allocate(bytes, alignment);
    }
    used_ = begin + bytes;
    return usual_.get() + begin;
  }
  void do_deallocate(void* /*at*/, std::size_t /*bytes*/, std::size_t /*alignment*/) override {}
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t usual_bytes_;
  std::size_t used_ = 0;
  bool overflowed_ = false;
  std::unique_ptr<std::byte[]> usual_;
  std::pmr::monotonic_buffer_resource more_;
};

}  // namespace poolproof::oracle

#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

/// Tells a test program of each allocation by `new`. It defines the program's own operators, so one
/// file of a program includes it, and defines on_allocation().
namespace poolproof::testing {

void on_allocation() noexcept;

inline void* watched_memory(std::size_t size) noexcept {
  on_allocation();
  return std::malloc(size == 0 ? 1 : size);
}

}  // namespace poolproof::testing

void* operator new(std::size_t size) {
  if (void* const memory = poolproof::testing::watched_memory(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) {
  return ::operator new(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return poolproof::testing::watched_memory(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return poolproof::testing::watched_memory(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

#include "harness/search/standstill.hpp"

#include <ctime>

namespace poolproof::search {
namespace {

/// The limit of time by the clock, as a multiple of the limit of processor time.
constexpr int kWaitFactor = 10;

}  // namespace

bool Standstill::look(const JobSight& sight) {
  if (!begun_ || sight.at != at_) {
    begun_ = true;
    at_ = sight.at;
    began_ = sight.processor_time;
    waited_ = {};
    return false;
  }
  if (!sight.suspended) waited_ += sight.watched;
  return sight.processor_time - began_ >= limit_ || waited_ >= limit_ * kWaitFactor;
}

Duration processor_time(pid_t pid) {
  clockid_t clock{};
  timespec spent{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &spent) != 0) return {};
  return std::chrono::seconds(spent.tv_sec) +
         std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(spent.tv_nsec));
}

}  // namespace poolproof::search

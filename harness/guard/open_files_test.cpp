#include "harness/guard/open_files.hpp"

#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace poolproof::guard {
namespace {

constexpr pid_t kHost = 100;
constexpr pid_t kWorker = 200;

using Files = std::map<pid_t, std::vector<OpenFile>>;

OpenFile reading(const std::string& target) {
  return {target, true, false};
}
OpenFile writing(const std::string& target) {
  return {target, false, true};
}
OpenFile pidfd(bool is_of_living) {
  return {"anon_inode:[pidfd]", true, true, is_of_living};
}

DescriptorLook look_at_host(const Files& files) {
  return look_at(files, {{kWorker, kHost}}, {}).at(kHost);
}

DescriptorLook look_at_many(const std::string& target) {
  return look_at_host({{kHost, std::vector<OpenFile>(70, reading(target))}});
}

TEST_CASE("guard: open files: what a living process holds the other end of is explained") {
  Files files{{kHost,
               {writing("pipe:[1]"), reading("pipe:[2]"), reading("socket:[3]"), pidfd(true),
                reading("/etc/hostname")}},
              {kWorker, {reading("pipe:[1]"), writing("pipe:[2]"), reading("socket:[4]")}}};
  CHECK(look_at_host(files).unexplained == 1);
  CHECK(look_at_host(files).stale == 0);
  files.erase(kWorker);
  CHECK(look_at_host(files).unexplained == 4);
  CHECK(look_at_host(files).stale == 2);
}

TEST_CASE("guard: open files: the same end of a pipe in a second process explains nothing") {
  const Files files{{kHost, {writing("pipe:[1]")}}, {kWorker, {writing("pipe:[1]")}}};
  CHECK(look_at_host(files).unexplained == 1);
}

TEST_CASE("guard: open files: a kind of thing is not one thing") {
  for (const char* kind :
       {"anon_inode:[eventfd]", "anon_inode:[eventpoll]", "/memfd:x (deleted)", "/dev/ptmx"}) {
    INFO(kind);
    CHECK(look_at_many(kind).same == 0);
    CHECK(look_at_many(kind).unexplained == 70);
  }
  CHECK(look_at_many("/dev/null").same == 70);
}

TEST_CASE("guard: open files: pidfds are kept too long when their processes are reaped") {
  const auto of = [](bool is_of_living) {
    return look_at_host({{kHost, std::vector<OpenFile>(70, pidfd(is_of_living))}});
  };
  CHECK(of(true).same == 0);
  CHECK(of(true).unexplained == 0);
  CHECK(of(false).same == 70);
  CHECK(of(false).same_target == "processes that have ended and were reaped");
}

}  // namespace
}  // namespace poolproof::guard

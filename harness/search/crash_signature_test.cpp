#include "harness/search/crash_signature.hpp"

#include <catch2/catch.hpp>

#include "harness/host/child.hpp"
#include "harness/search/run_in_child.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

std::string of_sanitizer(const std::string& words) {
  return crash_signature({1, 0}, words);
}

}  // namespace

TEST_CASE("run: last words: a broken promise, a signal and a code are told apart") {
  CHECK(crash_signature({0, 6}, "core.cpp:12: broken promise: slot < size\n") ==
        "broken promise: slot < size");
  CHECK(crash_signature({0, 11}, "") == "crash: signal 11");
  CHECK(crash_signature({3, 0}, "whatever\n") == "crash: exit code 3");
}

TEST_CASE("run: last words: a sanitizer's summary, without addresses and folders") {
  CHECK(of_sanitizer("==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010\n"
                     "    #0 0x5581 in poolproof::Core::step /here/harness/pool/core.cpp:12\n"
                     "\n"
                     "SUMMARY: AddressSanitizer: heap-use-after-free "
                     "/here/harness/pool/core.cpp:12 in poolproof::Core::step(int)\n"
                     "Shadow bytes around the buggy address:\n"
                     "==7==ABORTING\n") ==
        "crash: AddressSanitizer: heap-use-after-free core.cpp:12 in poolproof::Core::step(int)");
  CHECK(of_sanitizer("SUMMARY: ThreadSanitizer: data race /there/harness/host/pool.cpp:7:21 in "
                     "poolproof::host::Pool::close()\n") ==
        "crash: ThreadSanitizer: data race pool.cpp:7 in poolproof::host::Pool::close()");
  CHECK(of_sanitizer("SUMMARY: AddressSanitizer: SEGV (/here/bin/x+0x1a2b) (BuildId: d68f) in f") ==
        "crash: AddressSanitizer: SEGV in f");
  CHECK(of_sanitizer("SUMMARY: AddressSanitizer: 24 byte(s) leaked in 1 allocation(s).\n") ==
        of_sanitizer("SUMMARY: AddressSanitizer: 48 byte(s) leaked in 2 allocation(s).\n"));
}

TEST_CASE("run: last words: an error inside a library is told by our own line that led there") {
  const auto copied = [](const std::string& line) {
    return of_sanitizer(
        "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000014\n"
        "    #0 0x7fb in __interceptor_memcpy ../../src/libsanitizer/interceptors.inc:827\n"
        "    #1 0x55e in poolproof::sim::Pipe::write(std::string) /here/harness/sim/pipe.cpp:" +
        line +
        "\n"
        "    #2 0x55f in main /here/harness/cli/main.cpp:12\n"
        "SUMMARY: AddressSanitizer: heap-buffer-overflow "
        "../../src/libsanitizer/interceptors.inc:827 in __interceptor_memcpy\n");
  };
  CHECK(copied("7") ==
        "crash: AddressSanitizer: heap-buffer-overflow interceptors.inc:827 in "
        "__interceptor_memcpy, from pipe.cpp:7");
  CHECK(copied("7") != copied("9"));
}

TEST_CASE("run: last words: the program named at the end of a frame does not hide our own line") {
  const auto raced = [](const std::string& frame_ends) {
    return of_sanitizer(
        "WARNING: ThreadSanitizer: data race (pid=7)\n"
        "  Write of size 8 at 0x7ff by thread T1:\n"
        "    #0 int& std::vector<int>::emplace_back<int>(int&&) /usr/include/vector.tcc:114 "
        "(x+0x9)\n"
        "    #1 poolproof::host::Pool::close() /here/harness/host/pool.cpp:4 (x+0x12a0)" +
        frame_ends +
        "\n"
        "SUMMARY: ThreadSanitizer: data race /usr/include/vector.tcc:114 in emplace_back\n");
  };
  constexpr auto kTold =
      "crash: ThreadSanitizer: data race vector.tcc:114 in emplace_back, from pool.cpp:4";
  CHECK(raced("") == kTold);
  CHECK(raced(" (BuildId: d68f)") == kTold);
}

TEST_CASE("run: last words: undefined behaviour is told by its place and kind, not its values") {
  const std::string summary =
      "SUMMARY: UndefinedBehaviorSanitizer: undefined-behavior /here/harness/x.cpp:12:5 in \n";
  const auto overflow = of_sanitizer(
      "/here/harness/x.cpp:12:5: runtime error: signed integer overflow: 2147483647 + 1 cannot be "
      "represented in type 'int'\n" +
      summary);
  CHECK(overflow ==
        "crash: undefined behaviour: signed integer overflow: # + # cannot be represented in type "
        "'int' x.cpp:12");
  CHECK(overflow == of_sanitizer("/there/harness/x.cpp:12:9: runtime error: signed integer "
                                 "overflow: 5 + 2147483640 cannot be represented in type 'int'\n"));
  CHECK(of_sanitizer("x.cpp:7:5: runtime error: load of misaligned address 0x7ffc8f0f50f2 for type "
                     "'int32_t', which requires 4 byte alignment\n") ==
        "crash: undefined behaviour: load of misaligned address # for type 'int32_t', which "
        "requires # byte alignment x.cpp:7");
}

TEST_CASE("run: last words: two faults of which a process tells as a sanitizer does are two") {
  const auto told = [](const std::string& report) {
    auto ending = host::fork_child([&report](int) {
      (void)host::sys::write(2, report);
      return 1;
    });
    REQUIRE(ending);
    const auto words = hear(*ending, std::chrono::seconds(60));
    return crash_signature(words.exit, words.errors);
  };
  const auto one =
      told("SUMMARY: AddressSanitizer: heap-use-after-free /a/harness/f.cpp:12 in f\n");
  CHECK(one == "crash: AddressSanitizer: heap-use-after-free f.cpp:12 in f");
  CHECK(one != told("SUMMARY: AddressSanitizer: heap-use-after-free /a/harness/g.cpp:12 in g\n"));
  CHECK(one != told("/a/harness/f.cpp:12:5: runtime error: load of null pointer of type 'int'\n"));
}

#include "harness/search/processors.hpp"

#include <filesystem>
#include <fstream>
#include <sched.h>

#include <catch2/catch.hpp>

#include "harness/base/folder_testing.hpp"

using namespace poolproof;
using namespace poolproof::search;

namespace {

void put(const std::string& file, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  std::ofstream(file) << text;
}

}  // namespace

TEST_CASE("run: processors: the smallest quota of the groups above counts", "[sweep]") {
  const testing::Folder folder;
  const std::string root = folder / "v2";
  put(root + "/proc/self/cgroup", "0::/slurm/job_7/step_0\n");
  CHECK(cgroup_processors(root) == 0);
  put(root + "/sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "max 100000\n");
  CHECK(cgroup_processors(root) == 0);
  put(root + "/sys/fs/cgroup/slurm/job_7/cpu.max", "350000 100000\n");
  CHECK(cgroup_processors(root) == 4);
  put(root + "/sys/fs/cgroup/slurm/cpu.max", "800000 100000\n");
  CHECK(cgroup_processors(root) == 4);
  put(root + "/sys/fs/cgroup/cpu.max", "50000 100000\n");
  CHECK(cgroup_processors(root) == 1);
}

TEST_CASE("run: processors: a container knows its own group as the root", "[sweep]") {
  const testing::Folder folder;
  const std::string root = folder / "v2";
  put(root + "/proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
  put(root + "/sys/fs/cgroup/cpu.max", "200000 100000\n");
  CHECK(cgroup_processors(root) == 2);
}

TEST_CASE("run: processors: groups of version 1 have files of their own", "[sweep]") {
  const testing::Folder folder;
  const std::string root = folder / "v1";
  put(root + "/proc/self/cgroup", "11:cpuset:/pod\n4:cpu,cpuacct:/pod/one\n1:name=systemd:/pod\n");
  put(root + "/sys/fs/cgroup/cpu,cpuacct/pod/one/cpu.cfs_quota_us", "-1\n");
  put(root + "/sys/fs/cgroup/cpu,cpuacct/pod/one/cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_processors(root) == 0);
  put(root + "/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us", "600000\n");
  put(root + "/sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us", "200000\n");
  CHECK(cgroup_processors(root) == 3);
}

TEST_CASE("run: processors: where nothing can be read there is no limit", "[sweep]") {
  const testing::Folder folder;
  CHECK(cgroup_processors(folder / "nowhere") == 0);
  put(folder / "odd/proc/self/cgroup", "no colons\n::\n0:/only\n0::/x\n");
  put(folder / "odd/sys/fs/cgroup/x/cpu.max", "many 0\n");
  CHECK(cgroup_processors(folder / "odd") == 0);
}

TEST_CASE("run: processors: no more than the affinity has", "[sweep]") {
  cpu_set_t before;
  REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  CHECK(usable_processors() >= 1);
  CHECK(usable_processors() <= static_cast<std::uint32_t>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &before)) continue;
    CPU_SET(i, &one);
    break;
  }
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(usable_processors() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof before, &before) == 0);
}

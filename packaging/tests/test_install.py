"""An outside program meets the installed tree, and the tree as a part of its own project."""

import json
import os

from outside import BUILD, CMAKE, CXX, SOURCE, OutsideTest, configure, readme, run

# A third of what the header was when it included all it names.
LIGHT = 92_600 // 3
# Only the program and its tests need them.
NOT_ASKED_FOR = ("Catch2", "rapidcheck", "benchmark", "pugixml", "CLI11")


class Installed(OutsideTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefix = cls.folder / "prefix"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    def test_the_readmes_program_builds_and_runs(self):
        project = self.project("adder", main_cpp=readme("cpp"), lists=readme("cmake"))
        configure(project, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run(CMAKE, "--build", project / "build")
        (project / "my_worker.py").write_text(readme("python"))
        packages = self.prefix / "lib/python3/dist-packages"
        os.symlink(packages / "poolproof_worker", project / "poolproof_worker")
        self.assertEqual(run(project / "build/adder", cwd=project), '{"sum":3}\n')

    def test_the_header_that_only_names_a_pool_is_light(self):
        (self.folder / "light.cpp").write_text("#include <poolproof/pool.hpp>\n")
        include = self.prefix / "include"
        lines = run(CXX, "-std=c++20", f"-I{include}", f"-I{include}/poolproof", "-E",
                    self.folder / "light.cpp").count("\n")
        self.assertGreater(lines, 1000)
        self.assertLessEqual(lines, LIGHT)

    def test_headers_need_only_installed_ones_and_each_of_them_is_needed(self):
        headers = sorted((self.prefix / "include").rglob("*.hpp"))
        self.assertLess(len(headers), 31)
        include = self.prefix / "include"
        text = "".join(f'#include "{path.relative_to(include)}"\n' for path in headers)
        (self.folder / "all.cpp").write_text(text)
        needed = run(CXX, "-std=c++20", f"-I{include}", f"-I{include}/poolproof", "-MM",
                     self.folder / "all.cpp")
        self.assertNotIn(str(SOURCE) + "/", needed)
        (self.folder / "one.cpp").write_text("#include <poolproof/poolproof.hpp>\n")
        needed = run(CXX, "-std=c++20", f"-I{include}", f"-I{include}/poolproof", "-MM",
                     self.folder / "one.cpp")
        for path in headers:
            with self.subTest(path.name):
                self.assertTrue(str(path) in needed or path.name == "pool.hpp")

    def test_the_program_finds_its_workers_below_its_prefix(self):
        program = self.prefix / "bin/poolproof"
        for kind in ("fake", "python"):
            path = SOURCE / f"scenarios/seed/unflushed-{kind}.json"
            with self.subTest(kind):
                out = self.folder / f"out-{kind}"
                run(program, "run", path, "--world", "host", "--out", out)
                report = json.loads((out / "report.json").read_text())
                self.assertIn("unflushed", json.dumps(report))

    def test_without_its_workers_the_program_says_where_it_looked(self):
        worker = self.prefix / "libexec/poolproof/fake_worker"
        worker.rename(worker.with_suffix(".away"))
        self.addCleanup(worker.with_suffix(".away").rename, worker)
        with self.assertRaises(AssertionError) as failed:
            run(self.prefix / "bin/poolproof", "run", SOURCE / "scenarios/seed/unflushed-fake.json",
                "--out", self.folder / "out-without")
        self.assertIn(str(worker), str(failed.exception))


class AsPart(OutsideTest):
    """Poolproof inside of another project, by add_subdirectory or FetchContent."""

    BY_FOLDER = f'add_subdirectory("{SOURCE}" poolproof)'
    BY_FETCH = f"""include(FetchContent)
FetchContent_Declare(poolproof SOURCE_DIR "{SOURCE}")
FetchContent_MakeAvailable(poolproof)"""

    def check(self, name, how):
        lists = readme("cmake").replace("find_package(poolproof CONFIG REQUIRED)",
                                        f"enable_testing()\n{how}")
        self.assertIn(how, lists)
        project = self.project(name, main_cpp=readme("cpp"), lists=lists)
        unasked = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{one}=ON" for one in NOT_ASKED_FOR]
        configure(project, *unasked)
        cache = (project / "build/CMakeCache.txt").read_text()
        self.assertNotIn("BUILD_TESTING", cache)
        self.assertNotIn("POOLPROOF_PYTHON", cache)
        self.assertIn('"tests" : []', run("ctest", "--show-only=json-v1", cwd=project / "build"))
        rules = (project / "build/build.ninja").read_text()
        self.assertIn("libpoolproof_host.a", rules)
        for other in ("fake_worker", "oracle", "_tests"):
            self.assertNotIn(other, rules.replace(str(SOURCE), ""))
        return project

    def test_a_folder_of_the_project(self):
        project = self.check("folder", self.BY_FOLDER)
        # The whole library takes minutes; that it compiles is what the build itself shows.
        run(CMAKE, "--build", project / "build", "--target", "CMakeFiles/adder.dir/main.cpp.o")

    def test_fetched(self):
        self.check("fetched", self.BY_FETCH)

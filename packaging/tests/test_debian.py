"""The Debian package holds what a user needs, and works from where it is unpacked."""

import os
import shutil
import subprocess
import sys

from outside import BUILD, SKIPPED, SOURCE, OutsideTest, configure, readme, run

HOLDS = (
    "usr/bin/poolproof", "usr/libexec/poolproof/fake_worker",
    "usr/lib/python3/dist-packages/poolproof_worker/__init__.py",
    "usr/lib/python3/dist-packages/poolproof_worker/faults/__init__.py",
    "usr/include/poolproof/poolproof.hpp", "usr/include/poolproof/pool.hpp",
    "usr/include/poolproof/harness/host/pool.hpp", "usr/lib/libpoolproof_host.a",
    "usr/lib/cmake/poolproof/poolproof-config.cmake",
    "usr/share/poolproof/scenario.schema.json", "usr/share/doc/poolproof/copyright",
)


if shutil.which("dpkg-shlibdeps") is None:
    print("skipped: dpkg-dev is not installed")
    sys.exit(SKIPPED)


class Package(OutsideTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        out = cls.folder / "out"
        run(os.environ["CPACK"], "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", out)
        (cls.package,) = out.glob("*.deb")
        cls.root = cls.folder / "root"
        run("dpkg-deb", "-x", cls.package, cls.root)

    def test_its_name_and_what_it_depends_on(self):
        fields = run("dpkg-deb", "-f", self.package)
        self.assertRegex(self.package.name, r"^poolproof_[\d.]+_\w+\.deb$")
        self.assertRegex(fields, r"(?m)^Package: poolproof$")
        self.assertRegex(fields, r"(?m)^Maintainer: .+ <.+>$")
        (depends,) = (one for one in fields.splitlines() if one.startswith("Depends: "))
        for wanted in ("libc6 (>=", "libstdc++6 (>=", "libfmt9", "python3 (>= 3.9)", "libfmt-dev",
                       "nlohmann-json3-dev", "libexpected-dev"):
            self.assertIn(wanted, depends)

    def test_holds_what_a_user_needs_and_nothing_of_the_tests(self):
        for path in HOLDS:
            with self.subTest(path):
                self.assertTrue((self.root / path).exists())
        names = [path.name for path in self.root.rglob("*")]
        self.assertEqual([one for one in names if "test" in one or one.endswith(".pyc")], [])

    def test_the_unpacked_program_runs_both_kinds_of_worker(self):
        for kind in ("fake", "python"):
            with self.subTest(kind):
                run(self.root / "usr/bin/poolproof", "run",
                    SOURCE / f"scenarios/seed/unflushed-{kind}.json", "--world", "host", "--out",
                    self.folder / kind)

    def test_the_unpacked_library_is_found_and_relocatable(self):
        project = self.project("adder", main_cpp=readme("cpp"), lists=readme("cmake"))
        configure(project, f"-DCMAKE_PREFIX_PATH={self.root}/usr")
        rules = (project / "build/build.ninja").read_text()
        self.assertIn(f"{self.root}/usr/lib/libpoolproof_host.a", rules)
        self.assertNotIn(str(SOURCE), rules)

    def test_the_unpacked_python_worker_can_be_imported(self):
        packages = self.root / "usr/lib/python3/dist-packages"
        done = subprocess.run(["/usr/bin/python3", "-B", "-m", "poolproof_worker", "--help"],
                              env={"PYTHONPATH": str(packages)}, stdout=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("echo", done.stdout)

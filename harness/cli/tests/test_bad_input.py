"""Bad input: one line on stderr that says what, where and what would be right; exit code 64."""

import json
import os

from program import ProgramTest, echo_scenario


class BadInput(ProgramTest):
    def refused(self, *words, says):
        done = self.program(*words)
        text = done.stderr.decode()
        self.assertEqual(done.returncode, 64, text)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("poolproof: "), text)
        self.assertNotIn("harness itself broke", text)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, text)

    def refused_scenario(self, says, **changes):
        path = self.write(echo_scenario("x", **changes))
        self.refused("check", path, says=says)
        self.refused("run", path, "--out", self.out, says=says)
        self.assertFalse(self.out.exists())

    def test_command_line(self):
        self.refused(says="subcommand")
        self.refused("rum", "x", says=['"rum"', 'did you mean "run"?'])
        self.refused("frobnicate", says=["frobnicate", "compare"])
        self.refused("\x1b[31mred", says="\\x1b[31mred")
        self.refused("run", says="PATH")
        self.refused("run", "--sede", "1", "x", says=["--sede", "did you mean --seed?"])
        self.refused("run", "x", "--jops=3", says=["--jops", "--jobs"])
        self.refused("run", "x", "--zzzzzzzzzz", says=["--zzzzzzzzzz", "--help"])
        self.refused("run", "x", "--out", says="--out")
        for words in (["guard", "--limit", "0"], ["probe", "--timeout-ms", "x"], ["run"],
                      ["sweep", "--zzzzzzzzzz"], ["compare", "a"], ["explore", "cats"]):
            self.refused(*words, says=f"; see poolproof {words[0]} --help")
        self.refused("--zzzzzzzzzz", says="; see poolproof --help")
        self.refused("wrap", "--zzzzzzzzzz", says="see poolproof wrap --help")
        self.refused("show", "a", "b", says="b")
        self.refused("compare", "a", says="NEW")
        self.refused("list", "faultz", says=["faultz", "faults"])
        self.refused("list", "faults", "what", says=["list faults", '"what"'])
        for word in (["--shard", "1/2"], ["--jobs", "2"], ["--out", "x"], ["--seed", "3"]):
            self.refused("sweep", "--case", "5", *word, says=["--case", word[0]])
        for words in (["sweep", "--count", "5"], ["explore", "cuts"]):
            self.refused(*words, "--out", "", says=["--out: is empty"])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_numbers(self):
        path = self.write(echo_scenario("x"))
        for seed in ["", "1x", "-1", "0x", "0xg", "99999999999999999999", "1.5", " 1", "\x07"]:
            self.refused("run", path, "--seed", seed, says=["--seed", "0 to 2^64-1"])
        for jobs in ["0", "-1", "257", "many", "1.5", "99999999999999999999", "0x10", "+1", " 1",
                     "nan"]:
            self.refused("run", path, "--jobs", jobs, says=["--jobs", "1 to 256"])
        for repeat in ["0", "-3", "x", "10001"]:
            self.refused("run", path, "--repeat", repeat, says=["--repeat", "1 to 10000"])

    def test_every_number_is_read_by_the_same_reader(self):
        bad = ["nan", "inf", "0x10", "1e3", "-1", "+5", " 5", "5 ", "5s", "", "0b1"]
        for words in (["sweep", "--count"], ["sweep", "--time"], ["sweep", "--jobs"],
                      ["sweep", "--shards"], ["sweep", "--shard-index"], ["explore", "cuts", "--runs"],
                      ["run", "x", "--jobs"], ["run", "x", "--repeat"],
                      ["probe", "--timeout-ms"], ["probe", "--max-frame-bytes"],
                      ["probe", "--prefix-bytes"], ["probe", "--wire-log-bytes"],
                      ["guard", "--limit"], ["guard", "--end-limit"], ["guard", "--starts"],
                      ["compare", "a", "b", "--limit"]):
            for text in bad:
                with self.subTest(words=words, text=text):
                    self.refused(*words[:-1], f"{words[-1]}={text}", says=words[-1])
        # A zero in front makes no other number of it.
        path = self.write(echo_scenario("x"))
        self.refused("run", path, "--jobs", "0400", says=['"0400"', "1 to 256"])

    def test_paths(self):
        self.refused("run", "/no/such", says=["/no/such", "no such file or folder"])
        self.refused("check", "/dev/null", says=["/dev/null", "neither a file nor a folder"])
        self.refused("run", "/no/\x1b[2J", says="/no/\\x1b[2J")
        os.mkdir(self.folder / "empty")
        self.refused("run", "empty", says=["empty", "no scenario"])
        (self.folder / "empty" / "x.schema.json").write_text("{}")
        self.refused("run", "empty", says=["empty", "no scenario"])
        os.symlink("loop.json", self.folder / "empty" / "loop.json")
        self.refused("run", "empty", says="loop.json")

    def test_output_folder(self):
        path = self.write(echo_scenario("x"))
        self.file("file", b"")
        for out in ["file", "file/below", "/dev/null", ""]:
            self.refused("run", path, "--out", out, says=["--out", "a folder"])
        self.refused("run", path, "--out", "file/\x1b[31m", says="\\x1b[31m")

    def test_files_that_are_no_scenarios(self):
        for name, content, says in [
            ("empty.json", b"", "empty.json"),
            ("words.json", b"hello", "words.json"),
            ("cut.json", b'{"schema_version": 1,', "byte"),
            ("junk.json", bytes(range(256)) * 64, "junk.json"),
            ("list.json", b"[]", "object"),
            ("deep.json", b"[" * 100000, "deep"),
            ("nested.json", b'{"a":' * 100000 + b"1" + b"}" * 100000, "deep"),
            ("\x1b[31m\x07.json", b"{", "\\x1b[31m\\x07.json"),
            (b"\xff\xfe.json", b"{", "\\xff\\xfe.json"),
        ]:
            self.refused("check", self.file(name, content), says=says)
            self.refused("run", self.file(name, content), "--out", self.out, says=says)
        big = self.folder / "big.json"
        with open(big, "wb") as file:
            file.truncate((16 << 20) + 1)
        self.refused("check", big, says=["16777217 bytes", "16 MiB"])

    def test_scenarios_that_are_wrong(self):
        self.refused_scenario(["#", '"sise"', '"size"'], pool={"sise": 1})
        unknown = {"fault": "reply_lat", "at": {"slot": 0}}
        self.refused_scenario(["/faults/0", "reply_late"], faults=[unknown])
        for nowhere in [{"slot": 7}, {"client": "a", "call": 9}, {"client": "z", "call": 1}]:
            self.refused_scenario("/faults/0", faults=[{"fault": "reply_late", "at": nowhere}])
        for program in ["/no/such/worker", "no-such-worker", "/tmp", "/etc/passwd"]:
            self.refused_scenario(
                ["/workers/0", "worker program missing", program],
                workers=[{"kind": "command", "argv": [program]}],
            )
        path = self.file("other.json", json.dumps(echo_scenario("other-\x1b[31m")).encode())
        self.refused("check", path, says=["other.json#/name", "lower-case"])
        self.refused_scenario("\\x1b[31m", why="a long sentence with a key", **{"\x1b[31m": 1})

    def test_show_and_compare(self):
        self.refused("show", "/no/such", says="/no/such")
        self.refused("show", self.folder, says="is no file")
        self.refused("show", self.file("empty", b""), says="empty:1")
        self.refused("show", self.file("junk", b"\x1b[31m\x00\xff" * 100), says="junk:1")
        self.refused("show", self.file("deep", b"[" * 100000), says="deep:1")
        scenario = self.write(echo_scenario("x"))
        self.refused("compare", scenario, scenario, says=["neither", "report.json"])
        self.refused("compare", "/no/such", scenario, says="/no/such")
        golden = os.environ["POOLPROOF_GOLDEN"]
        self.refused("compare", golden + "/bench_base.json", golden + "/report.json",
                     says="two of a kind")
        self.refused("compare", self.folder, scenario, says="is no file")

    def test_probe(self):
        self.refused("probe", says="--")
        self.refused("probe", "--", says="--")
        for program in ["/no/such", "no-such-program", "/tmp", "/etc/passwd", "\x1b[31m"]:
            self.refused("probe", "--", program, says="cannot start")
        self.refused("probe", "--timeout-ms", "0", "--", "cat", says="--timeout-ms")
        self.refused("probe", "--prefix-bytes", "3", "--", "cat", says="--prefix-bytes")
        self.refused("probe", "--wire-log", "/no/folder/wire", "--", "cat",
                     says="/no/folder/wire: No such file or directory")
        self.refused("probe", "--wire-log-bytes", "3", "--", "cat", says="--wire-log-bytes")

"""The command line and the environment of both workers; the public API; what is imported."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from driving import FAULTY, ROOT, SOUND, TESTS, frame, ok, payloads, request

from poolproof_worker import Worker

WRONG = [
    (["--nonsense"], "--nonsense: unknown option"),
    (["--slots", "1"], "did you mean --slot?"),
    (["word"], "word: unknown option"),
    (["--slot"], "--slot: no value"),
    (["--slot", "x"], '--slot: "x" will not do'),
    (["--slot=-1"], '--slot: "-1" will not do'),
    (["--generation", "2147483648"], "--generation:"),
    (["--prefix-bytes", "3"], '--prefix-bytes: "3" will not do; 1, 2, 4 or 8'),
    (["--wire", "line"], '--wire: "line" is no wire; one of prefix, varint, lines, headers'),
    (["--speech", "MCP"], '--speech: "MCP" is no speech; one of bridge, json_rpc, mcp, lsp'),
    (["--byte-order", "le"], '--byte-order: "le" will not do; big or little'),
    (["--max-frame-bytes", "0"], "--max-frame-bytes:"),
    (["--wire", "lines", "--prefix-bytes", "2"],
     "--prefix-bytes: is said of the wire lines; the wire prefix, or nothing"),
    (["--byte-order=little", "--wire", "varint"],
     "--byte-order: is said of the wire varint; the wire prefix, or nothing"),
]

WRONG_FAULTY = [
    (["--fault", "reply_lost"], "unknown fault 'reply_lost'"),
    (["--fault", "reply_dropt"], 'did you mean "reply_dropped"?'),
    (["--at", "request=1"], "--at: no --fault before it"),
    (["--delay-ms", "1"], "--delay-ms: no --fault before it"),
    (["--fault", "reply_late", "--code", "1"], "unknown key 'code'"),
    (["--fault", "reply_late", "--delay-ms", "0"], "/delay_ms: 0 will not do"),
    (["--fault", "reply_late", "--delay-ms", "600001"], "a whole number from 1 to 600000"),
    (["--fault", "reply_late", "--delay-ms", "1.5"], "/delay_ms: \"1.5\" will not do"),
    (["--fault", "reply_late", "--at", "request"], "'request' is no coordinate"),
    (["--fault", "reply_late", "--at", "request=x"], "/at/request"),
    (["--fault", "reply_late", "--at", "when=1"], "unknown key 'when'"),
    (["--fault", "reply_late", "--at", "client=a"], "needs both"),
    (["--fault", "reply_late", "--at", "client=a,call=0"], "/at/call: 0 will not do"),
    (["--fault", "reply_late", "--at", "client=a,call=1,slot=0"], "needs both"),
    (["--fault", "banner", "--at", "request=0"], "impossible coordinate 'request' for banner"),
    (["--fault", "reading_stopped", "--at", "client=a,call=1"], "impossible coordinate 'client'"),
    (["--fault", "banner", "--text", "x" * 65_537], "at most 65536"),
    (["--fault", "length_huge", "--wire", "lines"], "--fault length_huge: can't strike on the wire "
     "lines; one of the wires prefix, varint, headers"),
    (["--fault", "reply_late", "--at", "request=1,request=2"],
     '--at: the key "request" is there twice; one of them'),
    (["--fault", "reply_late", "--at", "request=1", "--at", "request=1"], '"request" is there twice'),
    (["--fault", "reply_late", "--delay-ms", "1", "--delay-ms", "2"],
     '--delay-ms: the key "delay_ms" is there twice'),
    (["--plan", "/nowhere/plan.json"], "/nowhere/plan.json: No such file"),
    (["--journal", "/nowhere/journal"], "/nowhere/journal: No such file"),
    (["--worker", "nowhere:worker"], "--worker nowhere:worker: No module"),
]

PLANS = [
    ("[]", ": not an object"),
    ("nonsense", ": not JSON"),
    ('{"faults":[]}', "#/plan_version: missing or unknown"),
    ('{"plan_version":2,"faults":[]}', "#/plan_version"),
    ('{"plan_version":1}', "#/faults: missing or no list"),
    ('{"plan_version":1,"faults":[],"fault":1}', "unknown key 'fault'"),
    ('{"plan_version":1,"faults":[1]}', "#/faults/0: no object"),
    ('{"plan_version":1,"faults":[{"fault":"banner"}]}', '#/faults/0: no "at"'),
    ('{"plan_version":1,"faults":[{"fault":1,"at":{}}]}', "#/faults/0/fault: 1 is no text"),
    ('{"plan_version":1,"faults":[{"fault":"banner","at":[]}]}', "#/faults/0/at: no object"),
    ('{"plan_version":1,"faults":[{"fault":"banner","at":{},"text":1}]}', "/text: 1 is no text"),
    ('{"plan_version":1,"faults":[{"fault":"reply_late","at":{},"delay_ms":true}]}',
     "/delay_ms: true will not do"),
    ('{"plan_version":1,"faults":[{"id":"a","fault":"banner","at":{}},'
     '{"id":"a","fault":"banner","at":{}}]}', "#/faults/1/id: a second 'a'"),
    ('{"plan_version":1,"faults":[],"faults":[]}', ': the key "faults" is there twice; one of them'),
    ('{"plan_version":1,"faults":[{"fault":"banner","at":{},"at":{"slot":1}}]}',
     '#/faults/0: the key "at" is there twice; one of them'),
]


def run(program, *options, data=b"", env=None):
    return subprocess.run([sys.executable, *program, *options], input=data, capture_output=True,
                          env={"PYTHONPATH": f"{ROOT}:{TESTS}", **(env or {})}, check=False,
                          timeout=60)


class File:
    """A temporary file with that text; the context's value is its name."""

    def __init__(self, text=""):
        self.text = text

    def __enter__(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            file.write(self.text)
        self.name = file.name
        return self.name

    def __exit__(self, *_):
        os.unlink(self.name)


class CommandLine(unittest.TestCase):
    def refused(self, done, text):
        self.assertEqual((done.returncode, done.stdout), (64, b""))
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertIn(text, done.stderr.decode())

    def test_bad_options_are_one_line_and_exit_64(self):
        for program in (SOUND, FAULTY):
            for options, text in WRONG:
                with self.subTest(program=program, options=options):
                    self.refused(run(program, *options), text)

    def test_bad_faults_are_one_line_and_exit_64(self):
        for options, text in WRONG_FAULTY:
            with self.subTest(options=str(options)[:80]):
                self.refused(run(FAULTY, *options), text)

    def test_bad_plans_are_one_line_and_exit_64(self):
        for plan, text in PLANS:
            with self.subTest(plan), File(plan) as name:
                done = run(FAULTY, env={"POOLPROOF_PLAN": name})
                self.refused(done, text)
                self.assertIn(name, done.stderr.decode())

    def test_a_bad_variable_is_named(self):
        for program in (SOUND, FAULTY):
            self.refused(run(program, env={"POOLPROOF_SLOT": "x"}), 'POOLPROOF_SLOT: "x"')

    def test_options_win_over_the_environment(self):
        env = {"POOLPROOF_SLOT": "4", "POOLPROOF_GENERATION": "5", "POOLPROOF_PREFIX_BYTES": "2"}
        for program in (SOUND, FAULTY):
            for options, worker_id in ([], "4.5"), (["--slot=6"], "6.5"), \
                    (["--worker-id", "mine", "--generation", "7"], "mine"):
                with self.subTest(program=program, options=options):
                    done = run(program, *options, "--timestamp", "7", env=env,
                               data=request(0, "ping", {}, 2))
                    self.assertEqual(payloads(done.stdout, 2), [
                        ok(0, '{"status":"ok","worker_id":"' + worker_id + '"}')])

    def test_help_is_for_people(self):
        for program in (SOUND, FAULTY):
            done = run(program, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(b"--prefix-bytes" if program == SOUND else b"--fault NAME", done.stdout)

    def test_the_list_has_every_row_of_the_table(self):
        done = run(FAULTY, "--list")
        rows = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0)
        by_name = {row["name"]: row for row in rows}
        self.assertEqual(len(by_name), len(rows))
        self.assertEqual(by_name["reply_dropped"], {"name": "reply_dropped", "family": "drop",
                                                    "moment": "reply", "harmless": False,
                                                    "params": []})
        self.assertEqual(by_name["grandchild_left"]["params"],
                         [{"name": "lifetime_ms", "default": 60000, "min": 1, "max": 600000}])

    def test_a_worker_that_runs_refuses_to_be_the_one_that_can_not_be_started(self):
        done = run(FAULTY, "--fault", "start_fails")
        self.assertEqual((done.returncode, done.stdout), (64, b""))
        self.assertIn(b"--fault start_fails: strikes before there is a worker", done.stderr)
        with File('{"plan_version":1,"faults":[{"fault":"start_fails","at":{}}]}') as name:
            done = run(FAULTY, "--plan", name, "--timestamp", "7", data=request(1, "echo"))
            self.assertEqual(payloads(done.stdout), [ok(1, "{}")])

    def test_every_fault_of_the_table_has_a_behaviour(self):
        from poolproof_worker.faults.behaviour import behaviour_of
        from poolproof_worker.faults.catalogue import FAULTS
        for fault in FAULTS:
            with self.subTest(fault.name):
                stage, strike = behaviour_of(fault)
                self.assertTrue(callable(strike))
                self.assertIsInstance(stage, str)

    def test_a_plan_and_options_are_joined_and_the_plan_comes_first(self):
        plan = ('{"plan_version":1,"faults":[{"fault":"id_wrong","at":{"client":"a","call":1}},'
                '{"fault":"banner","at":{"slot":1}}]}')
        with File(plan) as name, File() as journal:
            done = run(FAULTY, "--timestamp", "7", "--fault", "id_text",
                       env={"POOLPROOF_PLAN": name, "POOLPROOF_JOURNAL": journal},
                       data=request(1, "echo", {"nonce": "a:1"}))
            self.assertEqual(payloads(done.stdout), [ok('"2"', '{"nonce":"a:1"}')])
            with open(journal, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            self.assertEqual([line["id"] for line in lines if line["kind"] == "receipt"],
                             ["f0", "f2"])

    def test_a_plan_keeps_its_ids(self):
        with File('{"plan_version":1,"faults":[{"id":"x","fault":"banner","at":{}}]}') as name, \
                File() as journal:
            run(FAULTY, "--plan", name, "--journal", journal)
            with open(journal, encoding="utf-8") as file:
                self.assertIn('"id":"x"', file.read())


class Program(unittest.TestCase):
    def test_a_sound_worker_never_imports_the_faults(self):
        done = subprocess.run([sys.executable, "-X", "importtime", *SOUND], capture_output=True,
                              input=request(0, "ping") + request(1, "fail"), check=True,
                              env={"PYTHONPATH": ROOT})
        self.assertIn(b"poolproof_worker._server", done.stderr)
        self.assertNotIn(b"faults", done.stderr)

    def test_slow_imports_stay_out_of_the_start(self):
        for program in (SOUND, FAULTY):
            done = subprocess.run([sys.executable, "-X", "importtime", *program], check=True,
                                  capture_output=True, input=b"", env={"PYTHONPATH": ROOT})
            for module in (b"argparse", b"traceback", b"difflib", b"dataclasses"):
                self.assertNotIn(module, done.stderr)

    def test_it_runs_as_a_folder_where_the_environment_is_ignored(self):
        for flags in (["-I"], ["-S", "-E"]):
            with self.subTest(flags):
                done = run([*flags, os.path.join(ROOT, "poolproof_worker")], "--timestamp", "7",
                           data=request(1, "echo"))
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(payloads(done.stdout), [ok(1, "{}")])

    def test_faults_can_be_planted_in_a_worker_of_ones_own(self):
        done = run(FAULTY, "--worker", "noisy_worker:worker", "--timestamp", "7", "--fault",
                   "reply_twice", data=request(1, "write"))
        self.assertEqual(payloads(done.stdout), [ok(1, '"written"')] * 2)
        self.assertIn(b"a C library speaks", done.stderr)
        self.assertIn(b"banner of an import", done.stderr)

    def test_serve_takes_a_mapping(self):
        program = ["-c", "import poolproof_worker as p; "
                         "p.serve({'double': lambda args: args['n'] * 2}, timestamp=7)"]
        done = run(program, data=request(1, "double", {"n": 4}) + frame(b"{}"))
        self.assertEqual(payloads(done.stdout)[0], ok(1, "8"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_finally_and_atexit_run_at_the_end_of_input(self):
        program = ["-c", "import atexit, sys, poolproof_worker as p\n"
                         "atexit.register(lambda: print('atexit'))\n"
                         "try: p.serve({})\n"
                         "finally: print('finally')"]
        done = run(program)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertEqual(done.stderr, b"finally\natexit\n")

    def test_a_bad_option_of_run_is_exit_64(self):
        done = run(["-c", "import poolproof_worker as p; p.serve({}, prefix_bytes=3)"])
        self.assertEqual((done.returncode, done.stdout), (64, b""))
        self.assertEqual(done.stderr, b'prefix_bytes: "3" will not do; 1, 2, 4 or 8\n')

    def test_run_takes_what_is_said_of_a_prefix_for_that_wire_alone(self):
        for given in ("prefix_bytes=2", 'byte_order="little"'):
            name = given.split("=")[0]
            done = run(["-c", f'import poolproof_worker as p; p.serve({{}}, wire="lines", {given})'])
            self.assertEqual((done.returncode, done.stdout), (64, b""), given)
            said = f"{name}: is said of the wire lines; the wire prefix, or nothing\n"
            self.assertEqual(done.stderr, said.encode())


class Registration(unittest.TestCase):
    def test_a_function_stays_what_it_is(self):
        worker = Worker({"one": len})

        @worker.command("two")
        def two(args):
            return args

        self.assertEqual(two(2), 2)
        self.assertEqual(list(worker.commands), ["one", "two"])

    def test_a_name_is_needed_and_taken_once(self):
        worker = Worker({"one": len})
        for name in ("", "one"):
            with self.assertRaises(ValueError):
                worker.command(name)

    def test_tools_are_described_by_their_docstring_and_schema(self):
        schema = {"type": "object", "required": ["a"]}

        def add(args):
            """Adds.

            Twice."""

        worker = Worker({"plain": lambda args: None})
        worker.command("add", schema=schema)(add)
        self.assertEqual(worker.tools(), [
            {"name": "plain", "inputSchema": {"type": "object"}},
            {"name": "add", "description": "Adds.", "inputSchema": schema}])
        for wrong in ({}, {"type": "array"}, [], "object"):
            with self.subTest(wrong), self.assertRaises(ValueError):
                worker.command("other", schema=wrong)

    def test_ping_can_be_replaced(self):
        program = ["-c", "import poolproof_worker as p; "
                         "p.serve({'ping': lambda args: {'status': 'mine'}}, timestamp=7)"]
        done = run(program, data=request(0, "ping"))
        self.assertEqual(payloads(done.stdout), [ok(0, '{"status":"mine"}')])


if __name__ == "__main__":
    unittest.main()

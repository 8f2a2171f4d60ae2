"""The fixtures of harness/guard/fixtures, each where its tool is there."""

import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from program import HANG, POOLPROOF, PYTHON, ProgramTest

FAKE_WORKER = os.path.join(os.path.dirname(POOLPROOF), "fake_worker")
FIXTURES = Path(__file__).resolve().parents[2] / "guard" / "fixtures"

PYTEST = """
import struct, subprocess
from poolproof_pytest import faulty_worker, pytest_sessionfinish

def ask(worker):
    body = b'{"id": 0, "command": "ping", "args": {}}'
    done = subprocess.run(worker.argv, input=struct.pack(">I", len(body)) + body,
                          stdout=subprocess.PIPE)
    return done.stdout

def test_struck(faulty_worker):
    worker = faulty_worker("reply_dropped", at="request=0")
    assert ask(worker) == b""
    assert worker.has_struck() and worker.times_struck() == 1

def test_sound(faulty_worker):
    assert b'"success":true' in ask(faulty_worker())

def test_a_server_of_ones_own(faulty_worker):
    worker = faulty_worker("reply_dropped", at="method=b", command=["sed", "-u", "s/method/was/"],
                           wire="lines", speech="json_rpc")
    asked = b'{"id":1,"method":"a"}\\n{"id":2,"method":"b"}\\n'
    done = subprocess.run(worker.argv, input=asked, stdout=subprocess.PIPE)
    assert done.stdout == b'{"id":1,"was":"a"}\\n'

def test_parameters(faulty_worker):
    worker = faulty_worker("reply_slow", at="request=0", delay_ms=20)
    assert b'"success":true' in ask(worker)
"""

NODE = """
const test = require("node:test"), assert = require("node:assert");
const { spawnSync } = require("node:child_process");
const { faultyWorker } = require("./poolproof_node.cjs");

function ask(worker) {
  const body = Buffer.from('{"id": 0, "command": "ping", "args": {}}');
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  const [program, ...rest] = worker.argv;
  return spawnSync(program, rest, { input: Buffer.concat([head, body]) }).stdout.toString("latin1");
}
test("struck", (t) => {
  const worker = faultyWorker(t, "reply_dropped", { at: "request=0" });
  assert.equal(ask(worker), "");
  assert(worker.hasStruck());
});
test("sound", (t) => assert.match(ask(faultyWorker(t)), /"success":true/));
test("a server of one's own", (t) => {
  const command = ["sed", "-u", "s/method/was/"];
  const worker = faultyWorker(t, "reply_dropped",
    { at: "method=b", command, wire: "lines", speech: "json_rpc" });
  const [program, ...rest] = worker.argv;
  const input = '{"id":1,"method":"a"}\\n{"id":2,"method":"b"}\\n';
  assert.equal(spawnSync(program, rest, { input }).stdout.toString(), '{"id":1,"was":"a"}\\n');
});
test("parameters", (t) => {
  const worker = faultyWorker(t, "reply_slow", { at: "request=0", delay_ms: 20 });
  assert.match(ask(worker), /"success":true/);
});
"""

EXUNIT = """
ExUnit.start()
Code.require_file("poolproof.exs", __DIR__)
defmodule SampleTest do
  use ExUnit.Case
  test "struck" do
    worker = Poolproof.faulty_worker("exit_at_start")
    run(worker)
  end
  test "counted" do
    worker = Poolproof.faulty_worker("killed_at_start")
    assert Poolproof.times_struck(worker) == 0
    run(worker)
    assert Poolproof.has_struck?(worker)
    Poolproof.wait_until_struck(worker)
  end
  test "a server of one's own" do
    worker = Poolproof.faulty_worker("exit_at_start", command: ["cat"], wire: "lines", code: 5)
    assert {_, 5} = run(worker)
  end
  defp run(worker), do: System.cmd("sh", ["-c", ~s(exec "$0" "$@" </dev/null) | worker.argv])
end
"""


class Fixtures(ProgramTest):
    def sample(self, fixture, name, text):
        shutil.copy(FIXTURES / fixture, self.folder)
        (self.folder / name).write_text(text)

    def run_tests(self, *command):
        """Alone, and below a guard, who must find nothing but struck faults."""
        environment = {**os.environ, "POOLPROOF_FAKE_WORKER": FAKE_WORKER, "POOLPROOF": POOLPROOF}
        alone = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True,
                               timeout=HANG)
        guarded = subprocess.run([POOLPROOF, "guard", "--out", self.out, "--", *command],
                                 cwd=self.folder, env=environment, capture_output=True,
                                 timeout=HANG)
        self.assertEqual(guarded.returncode != 0, alone.returncode != 0,
                         guarded.stdout + guarded.stderr)
        return alone

    def struck(self):
        return {one["fault"] for one in json.loads((self.out / "guard.json").read_text())["strikes"]}

    def check(self, fixture, name, text, never, *command):
        self.sample(fixture, name, text)
        done = self.run_tests(*command)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.sample(fixture, name, text.replace(*never))
        done = self.run_tests(*command)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"never struck", done.stdout + done.stderr)

    def test_pytest(self):
        if subprocess.run([PYTHON, "-c", "import pytest"], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no pytest here")
        self.check("poolproof_pytest.py", "test_sample.py", PYTEST,
                   ('"reply_slow", at="request=0"', '"reply_slow", at="request=7"'),
                   PYTHON, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_sample.py")
        self.assertEqual(self.struck(), {"reply_dropped"})

    def test_node(self):
        node = shutil.which("node")
        if node is None:
            self.skipTest("no node here")
        self.check("poolproof_node.cjs", "sample.test.cjs", NODE,
                   ('"reply_slow", { at: "request=0"', '"reply_slow", { at: "request=7"'),
                   node, "--test", "sample.test.cjs")
        self.assertEqual(self.struck(), {"reply_dropped"})

    def test_exunit(self):
        elixir = shutil.which("elixir")
        if elixir is None:
            self.skipTest("no elixir here")
        self.check("poolproof.exs", "sample.exs", EXUNIT,
                   ('"exit_at_start")', '"exit_at_start", at: "generation=7")'),
                   elixir, "sample.exs")

    def test_each_is_short(self):
        for fixture in sorted(FIXTURES.iterdir()):
            if fixture.is_file():
                self.assertLessEqual(len(fixture.read_text().splitlines()), 100, fixture)


if __name__ == "__main__":
    unittest.main()

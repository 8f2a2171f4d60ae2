"""Workers that need for themselves what only one can have, as a port or a GPU."""

import hostile
from program import PYTHON, ProgramTest, echo_scenario

# It holds a lock on a file, exits with 3 where another one has it, and takes its time to leave.
WORKER = hostile.PRELUDE + """
import fcntl
lock = open("lock", "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print("the lock is taken", file=sys.stderr)
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: time.sleep(1.5) or os._exit(0))
while (request := read()) is not None:
    if request["command"] == "echo" and request["args"].get("hang"): time.sleep(1000)
    write(reply(request, result=request["args"]))
"""


class Exclusive(ProgramTest):
    def run_with(self, name, expected, **pool):
        """a loses its worker in a call; b comes while that one is still leaving."""
        hang = {"call": {"command": "echo", "args": {"hang": True}, "timeout_ms": 300}}
        after = {"await": {"client": "a", "step": 1, "moment": "ended"}}
        options = {"size": 1, "term_grace_ms": 20000, "breaker_failures": 1,
                   "breaker_open_ms": 60000, "checkout_timeout_ms": 20000}
        self.write(echo_scenario(
            name, pool={**options, **pool},
            workers=[{"kind": "command", "argv": [PYTHON, "-c", WORKER]}],
            clients=[{"name": "a", "steps": [{"checkout": {}}, hang]},
                     {"name": "b", "steps": [after, {"checkout": {}}]}],
            expect={"a": ["granted", {"error": "call_timeout"}], "b": [expected],
                    "no_success": True}))
        done = self.run_scenarios(f"scenarios/{name}.json")
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        return [word["message"] for word in self.report()["scenarios"][0].get("said", [])]

    def test_the_next_one_fails_beside_the_last_and_the_error_names_the_remedy(self):
        said = self.run_with("beside", {"error": "start_failed", "cause": "exited"})
        self.assertRegex(
            " ".join(said),
            r"exited with code 3 .*its stderr ends: the lock is taken.*; the worker before it in "
            r"slot 0 \(pid \d+\) has not left: .*set \"overlap\": false")

    def test_without_overlap_it_waits_and_is_served(self):
        self.run_with("after", "granted", overlap=False)

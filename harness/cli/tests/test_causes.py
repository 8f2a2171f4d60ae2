"""The first checkout times out: workers that the pool has never seen, told apart by evidence."""

import hostile
from program import PYTHON, ProgramTest, echo_scenario

CAUSES = {
    "lines": "ping_unanswered",
    "little-endian": "ping_unanswered",
    "short prefix": "ping_unanswered",
    "lenient lines": "reply_unframed",
    "unframed": "reply_unframed",
    "unframed, unflushed": "reply_unframed",
    "slow import": "ping_unread",
    "never reads": "ping_unread",
    "banner": "text_on_stdout",
    "short banner": "text_on_stdout",
    "much text": "text_on_stdout",
    "banner and exit": "exited",
    "exit 3": "exited",
    "segfault": "exited",
    "unflushed": "reply_unflushed",
    "half a header": "reply_incomplete",
    "half a reply": "reply_incomplete",
    "little-endian replies": "bad_frame",
    "4 GiB header": "bad_frame",
    "zeros": "bad_frame",
    "refuses": "refused",
    "closes stdout": "stdout_closed",
}


class Causes(ProgramTest):
    def scenario(self, name, argv, cause, **pool):
        options = {"size": 1, "startup_budget_ms": 3000, "postmortem_budget_ms": 1000,
                   "checkout_timeout_ms": 20000, "breaker_failures": 1}
        self.write(echo_scenario(
            name.replace(", ", "-").replace(" ", "-").lower(),
            pool={**options, **pool},
            workers=[{"kind": "command", "argv": argv}],
            expect={"a": [{"error": "start_failed", "cause": cause}], "no_success": True},
        ))

    def all_pass(self):
        done = self.run_scenarios("scenarios", "--jobs", "6")
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())

    def test_each_program_has_its_cause(self):
        for name, cause in CAUSES.items():
            self.scenario(name, hostile.command(name, PYTHON), cause)
        for name in ["exit 3", "slow import", "unflushed", "lines"]:
            script = hostile.command(name, PYTHON)
            shell = ["/bin/sh", "-c", '"$@"; exit $?', "sh", *script]
            self.scenario("shell " + name, shell, CAUSES[name])
        self.scenario("cat", ["/bin/cat"], "bad_frame")
        for prefix in (1, 2):
            for name, cause in [("plain", "ping_unanswered"), ("banner", "text_on_stdout")]:
                argv = hostile.command(name, PYTHON)
                self.scenario(f"{name} {prefix}", argv, cause, prefix_bytes=prefix)
        self.all_pass()

    def test_a_start_behind_another(self):
        script = 'time.sleep(4 if os.environ["POOLPROOF_SLOT"] == "0" else 0)\nserve()'
        steps = [{"call": {"command": "echo"}}, {"checkin": {}}]
        started = {"await": {"worker": {"slot": 0, "generation": 0}, "moment": "started"}}
        self.write(echo_scenario(
            "behind",
            pool={"size": 2, "init_mode": "blocking"},
            workers=[{"kind": "command", "argv": [PYTHON, "-c", hostile.PRELUDE + script]}],
            clients=[
                {"name": "a", "steps": [{"checkout": {"timeout_ms": 30000}}, *steps]},
                {"name": "b", "steps": [started, {"checkout": {"timeout_ms": 700}}, *steps]},
            ],
            expect={"a": ["granted", "ok", "returned"],
                    "b": [{"error": "checkout_timeout", "cause": "behind_another_start"}]},
        ))
        self.all_pass()

"""poolproof run --world both: sound generated scenarios tell the same story in both worlds.

POOLPROOF_AGREEMENT="SEED COUNT" tries other scenarios, or more of them.
"""

import os

from generated import sound_files
from program import HANG, POOLPROOF, ProgramTest


class Agreement(ProgramTest):
    def test_sound_generated_scenarios_do_not_diverge(self):
        seed, count = map(int, os.environ.get("POOLPROOF_AGREEMENT", "1000 12").split())
        paths = sound_files(POOLPROOF, self.folder, seed, count)
        # Each takes seconds of real time; what hangs holds one up for ever.
        done = self.run_scenarios(*paths, "--world", "both", "--jobs", "4",
                                  timeout=HANG + 5 * count)
        told = {s["name"]: s.get("agreement", "") for s in self.report()["scenarios"]}
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
        self.assertEqual(len(told), count)
        for name, agreement in told.items():
            self.assertRegex(agreement, "^agree$|^not compared: real time decided [(]"
                                        "|^not compared: .* stories that differ even in outline",
                             name)
        self.assertGreater(sum(a == "agree" for a in told.values()), count // 2, told)

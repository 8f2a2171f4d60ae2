"""Runs one test module; a run in which nothing ran fails (unittest's own passes before 3.12)."""

import sys
import unittest


def main(module):
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    ran = result.testsRun - len(result.skipped)
    if ran == 0:
        print(f"{module}: no test ran", file=sys.stderr)
    return 0 if ran > 0 and result.wasSuccessful() else 1


sys.exit(main(sys.argv[1]))

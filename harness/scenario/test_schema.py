"""The schema says of a scenario file what the loader says of it, as far as one place can show it."""

import json
import os
import subprocess
import unittest
from pathlib import Path

import jsonschema

SCENARIOS = Path(os.environ["SCENARIOS"])


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = json.loads((SCENARIOS / "scenario.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        cls.validator = jsonschema.Draft7Validator(schema)
        said = subprocess.run([os.environ["SCHEMA_DOCUMENTS"]], stdout=subprocess.PIPE, check=True)
        cls.documents = [json.loads(line) for line in said.stdout.splitlines()]

    def is_valid(self, text):
        try:
            return self.validator.is_valid(json.loads(text))
        except json.JSONDecodeError:
            return False

    def check(self, valid):
        documents = [one for one in self.documents if one["valid"] is valid]
        for one in documents:
            with self.subTest(one["name"]):
                self.assertEqual(self.is_valid(one["text"]), valid)
        return len(documents)

    def test_every_shipped_scenario_and_what_the_writer_makes_of_it_is_valid(self):
        self.assertGreaterEqual(self.check(True), 100)

    def test_refuses_what_the_loader_refuses_as_far_as_one_place_can_show_it(self):
        self.assertGreaterEqual(self.check(False), 40)

    def test_shipped_scenarios_name_it(self):
        for path in SCENARIOS.glob("*/*.json"):
            with self.subTest(path.name):
                named = path.parent / json.loads(path.read_text())["$schema"]
                self.assertTrue(named.exists())

"""Conformance: a segment whose list is too long for Amplitude's rules, which the official Python SDK loads by
itself, as a cohort."""

import unittest

from amplitude_experiment import LocalEvaluationClient, LocalEvaluationConfig, User
from amplitude_experiment.cohort.cohort_sync_config import CohortSyncConfig

import flags
from harness import Proof

MEMBERS = 12_000


class Cohort(Proof):
    """`amplitude-experiment` with its cohorts from us."""

    def test_a_segment_by_a_long_list(self):
        why = {"why": "the proofs"}
        self.server.call("PUT", "/api/segments/even", why)
        ids = [f"user-{i * 2}" for i in range(MEMBERS)]
        self.server.call("POST", "/api/segments/even/ids", {"list": "included", "add": ids, **why})
        rule = {"name": "even", "when": [[{"segment": "even"}]], "serve": {"serve": "variant", "variant": "on"}}
        flags.make(self.server, {"flag": "evens"}, {"rules": [rule], "default": {"serve": "variant", "variant": "off"}})
        key, url = self.server.keys["server"], self.server.url
        cohorts = CohortSyncConfig(api_key="any", secret_key=key, cohort_server_url=url)
        local = LocalEvaluationClient(key, LocalEvaluationConfig(server_url=url, cohort_sync_config=cohorts))
        local.start()
        self.addCleanup(local.stop)
        for i in range(1000):
            here = local.evaluate_v2(User(user_id=f"user-{i}"), {"evens"})["evens"].key
            self.assertEqual(here, "on" if i % 2 == 0 else "off")


if __name__ == "__main__":
    unittest.main()

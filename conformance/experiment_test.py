"""Conformance: Amplitude Experiment with the official Python SDK: remote, local and streaming evaluation,
and the exposures that local evaluation sends."""

import unittest

from amplitude_experiment import RemoteEvaluationClient, RemoteEvaluationConfig, User
from amplitude_experiment.local.evaluate_options import EvaluateOptions

import flags
from harness import Proof
from sdk import amplitude_local, stop_amplitude


class AmplitudeExperiment(Proof):
    """`amplitude-experiment` as its documentation says, with server URLs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        flags.every_kind(cls.server)

    def local(self, **options):
        client = amplitude_local(self.server, **options)
        self.addCleanup(stop_amplitude, client)
        return client

    def remote(self, scope="client"):
        client = RemoteEvaluationClient(self.server.keys[scope], RemoteEvaluationConfig(server_url=self.server.url))
        self.addCleanup(client.close)
        return client

    def test_local_and_remote_give_every_user_the_same(self):
        local, remote = self.local(), self.remote()
        for i in range(300):
            user = User(
                user_id=f"user-{i}",
                country=["DE", "JP", None][i % 3],
                version=["2.1.0", "2.0.9", "3.0.0-beta", None][i % 4],
                user_properties={"plan": ["free", "pro"][i // 4 % 2]},
            )
            there = {key: (v.key, v.value, v.payload) for key, v in remote.fetch_v2(user).items()}
            # Beside flags it shows the parts that they are made of, whose names are no flag's.
            answers = {key: v for key, v in local.evaluate_v2(user).items() if ":" not in key}
            here = {key: (v.key, v.value, v.payload) for key, v in answers.items()}
            self.assertEqual(here, there)
            self.assertLessEqual(set(flags.EVERY_KIND), set(here))

    def test_a_client_key_gets_answers_and_no_rules(self):
        self.assertIn("new-checkout", self.remote("client").fetch_v2(User(user_id="user-1")))
        local = self.local(scope="client")
        self.assertEqual(local.evaluate_v2(User(user_id="user-1")), {})

    def test_a_change_arrives_over_the_stream(self):
        flags.make(self.server, {"flag": "streamed"})
        local = self.local(streaming=True)
        user = User(user_id="user-1")
        self.assertEqual(local.evaluate_v2(user, {"streamed"})["streamed"].key, "on")
        off = {"environment": self.server.environment, "on": False, "why": "the proofs"}
        self.server.call("POST", "/api/flags/streamed/toggle", off)
        self.until(lambda: local.evaluate_v2(user, {"streamed"})["streamed"].key == "off", within=5)

    def test_local_evaluation_sends_its_exposures(self):
        local = self.local()
        before = self.server.total("$exposure", by="flag_key").get("banner", 0)
        for user in ("exposed-1", "exposed-2", "exposed-2"):
            local.evaluate_v2(User(user_id=user), {"banner"}, EvaluateOptions(tracks_exposure=True))
        local.exposure_service.amplitude.flush()
        self.until(lambda: self.server.total("$exposure", by="flag_key").get("banner", 0) == before + 2)


if __name__ == "__main__":
    unittest.main()

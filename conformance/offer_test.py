"""Conformance: a flag with all that a flag can have (a segment, a prerequisite, a layer, a holdout and a split in
three), asked in every way that Python has. All give every user what the server gives."""

import os
import unittest

from amplitude_experiment import User
from openfeature import api
from openfeature.evaluation_context import EvaluationContext

import flags
from harness import Proof, Server, fact
from sdk import amplitude_local, flagd_provider, ofrep_provider, stop_amplitude

USERS = 100_000 if os.environ.get("PROOF") == "full" else 10_000


def country(i):
    return ["DE", "JP", "FR"][i // 2 % 3]


def ascii_user(i):
    return (f"user-{i}" if i % 2 == 0 else f"{i:08x}-33b7-4b22-b0bd-9fec66ba1d7d"), country(i)


def anybody(i):
    """Every other one has an id that is not ASCII."""
    return (f"user-{i}" if i % 2 == 0 else ["käyttäjä", "ключ", "用户"][i % 3] + f"-{i}"), country(i)


class Offer(Proof):
    """The server's answers beside those of the SDKs."""

    def agree(self, user, ways):
        """Asks the server for all flags of every user, and each of `ways` for them: a way gives the variant of a
        flag, and the value where it has one of its own."""
        got = {}
        for i in range(USERS):
            key, here = user(i)
            asked = {"context": {"targetingKey": key, "country": here}}
            there = {f["key"]: f for f in self.server.ask("/ofrep/v1/evaluate/flags", asked)["flags"]}
            self.assertEqual(set(there), {"gate", "offer"})
            for way, ask in ways.items():
                for flag, answer in there.items():
                    variant, *value = ask(flag, key, here)
                    self.assertEqual((variant, value), (answer["variant"], [answer["value"]][: len(value)]), (way, key, flag))
            got[there["offer"]["variant"]] = got.get(there["offer"]["variant"], 0) + 1
        self.assertEqual(set(got), {"a", "b", "c", "off"})
        for way in ways:
            fact("every SDK", f"{way}: {2 * USERS} answers on {USERS} users compared with OFREP's, 0 differ")

    def said(self, provider):
        """What an OpenFeature client says of a flag."""
        domain = self.id() + type(provider).__module__
        self.addCleanup(provider.shutdown)
        api.set_provider_and_wait(provider, domain)
        client = api.get_client(domain)

        def ask(flag, key, here):
            context = EvaluationContext(key, {"country": here})
            if flag == "gate":
                details = client.get_boolean_details(flag, False, context)
            else:
                details = client.get_string_details(flag, "default", context)
            return details.variant, details.value

        return ask


class Utf8(Offer):
    """Where UTF-8 is hashed, which is what environments have."""

    def test_every_sdk_gives_every_user_the_same(self):
        flags.offer(self.server)
        local = amplitude_local(self.server)
        self.addCleanup(stop_amplitude, local)

        def amplitude(flag, key, here):
            return (local.evaluate_v2(User(user_id=key, country=here), {flag})[flag].key,)

        ways = {"OFREP provider for Python": self.said(ofrep_provider(self.server))}
        self.agree(ascii_user, {**ways, "Amplitude local evaluation in Python": amplitude})


class Cbor(Offer):
    """Where CBOR is hashed."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(environment="development")
        cls.addClassCleanup(cls.server.stop)
        cls.server.call("PUT", "/api/environments/development", {"bucketing": "cbor", "why": "the proofs"})
        flags.offer(cls.server)

    def test_the_provider_of_flagd_gives_every_user_the_same(self):
        self.agree(anybody, {"flagd in-process provider for Python, CBOR": self.said(flagd_provider(self.server))})


if __name__ == "__main__":
    unittest.main()

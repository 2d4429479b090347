"""Conformance: the official flagd provider for Python, which loads the rules over `flagd.sync.v1` and evaluates
in its own process. It hashes CBOR, so it agrees with an environment whose bucketing is `cbor`."""

import json
import os
import unittest
import urllib.parse
from pathlib import Path

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, OpenFeatureError
from openfeature.flag_evaluation import Reason

import flags
from harness import Proof, Server

CALLS = json.loads((Path(__file__).parent / "flagd.json").read_text())
USERS = 100_000 if os.environ.get("PROOF") == "full" else 10_000


def user(i):
    """A user; every other one has an id that is not ASCII."""
    name = f"user-{i}" if i % 2 == 0 else ["käyttäjä", "ключ", "用户"][i % 3] + f"-{i}"
    return name, {"country": ["DE", "JP", "FR"][i // 2 % 3]}


class Flagd(Proof):
    """The provider as its documentation says, with the key as its selector."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(environment="development")
        cls.addClassCleanup(cls.server.stop)
        cls.server.call("PUT", "/api/environments/development", {"bucketing": "cbor", "why": "the proofs"})
        flags.every_kind(cls.server)
        for call in CALLS:
            body = {"why": "the proofs", **call["body"]}
            if "environment" in body:
                body["environment"] = cls.server.environment
            cls.server.call(call["method"], call["path"], body)

    def provider(self, selector=None, **options):
        address = urllib.parse.urlparse(self.server.url)
        provider = FlagdProvider(
            resolver_type=ResolverType.IN_PROCESS,
            host=address.hostname,
            port=address.port,
            selector=f"flagSetId={self.server.keys['server']}" if selector is None else selector,
            # A machine on which tests and compilers run beside each other keeps this one.
            deadline_ms=10_000,
            retry_backoff_ms=50,
            retry_backoff_max_ms=200,
            **options,
        )
        self.addCleanup(provider.shutdown)
        return provider

    def client(self, **options):
        domain = self.id()
        api.set_provider_and_wait(self.provider(**options), domain)
        return api.get_client(domain)

    def test_the_provider_and_the_server_agree_where_cbor_is_hashed(self):
        client = self.client()
        got = {}
        server_key = {"authorization": f"Bearer {self.server.keys['server']}"}
        admin, self.server.headers = self.server.headers, server_key
        self.addCleanup(setattr, self.server, "headers", admin)
        for i in range(USERS):
            key, attributes = user(i)
            asked = {"context": {"targetingKey": key, **attributes}}
            there = {f["key"]: f for f in self.server.call("POST", "/ofrep/v1/evaluate/flags", asked)["flags"]}
            context = EvaluationContext(key, attributes)
            for here in (
                client.get_string_details("offer", "default", context),
                client.get_boolean_details("gate", False, context),
            ):
                answer = there[here.flag_key]
                self.assertEqual((here.variant, here.value), (answer["variant"], answer["value"]), (key, here))
            got[there["offer"]["variant"]] = got.get(there["offer"]["variant"], 0) + 1
        self.assertEqual(set(got), {"a", "b", "c", "off"})
        print(f"flagd: Python in-process provider: {2 * USERS} answers on {USERS} users compared with OFREP, 0 differ")

    def test_values_variants_and_reasons(self):
        client = self.client()
        def at(country):
            return EvaluationContext("user-1", {"country": country})

        def check(details, value, variant, reason, error=None):
            self.assertEqual((details.value, details.variant, details.reason, details.error_code), (value, variant, reason, error), details)

        vip = EvaluationContext("vip-1")
        check(client.get_boolean_details("new-checkout", False, at("DE")), True, "on", Reason.STATIC)
        check(client.get_float_details("page-size", 1.5, at("DE")), 25.5, "large", Reason.TARGETING_MATCH)
        check(client.get_float_details("page-size", 1.5, at("JP")), 10.5, "small", Reason.DEFAULT)
        check(client.get_integer_details("retries", 1, at("DE")), 3, "three", Reason.STATIC)
        check(client.get_object_details("layout", {}, vip), {"columns": 3}, "wide", Reason.TARGETING_MATCH)
        check(client.get_object_details("layout", {}, at("DE")), {"columns": 1}, "narrow", Reason.DEFAULT)
        check(client.get_boolean_details("old-search", True, at("DE")), False, "off", Reason.STATIC)
        check(client.get_boolean_details("no-such-flag", True, at("DE")), True, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
        check(client.get_string_details("new-checkout", "x", at("DE")), "x", None, Reason.ERROR, ErrorCode.TYPE_MISMATCH)
        metadata = client.get_boolean_details("new-checkout", False, at("DE")).flag_metadata
        self.assertEqual(metadata, {"flagSetId": "development", "scope": "development"})

    def test_a_change_is_an_event_that_names_the_flag(self):
        flags.make(self.server, {"flag": "switched"})
        client = self.client()
        changes = []
        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda event: changes.append(event.flags_changed))
        here = {"environment": self.server.environment, "why": "the proofs"}
        for on in (False, True):
            known = len(changes)
            self.server.call("POST", "/api/flags/switched/toggle", {"on": on, **here})
            self.until(lambda: len(changes) > known)
            self.assertIn("switched", changes[-1])
            self.assertEqual(client.get_boolean_value("switched", not on), on)

    def test_nothing_without_a_server_key(self):
        fatal = ["UNAUTHENTICATED", "PERMISSION_DENIED"]
        for selector in ("", "flagSetId=development", "bws_stranger", self.server.keys["client"]):
            with self.assertRaises(OpenFeatureError, msg=selector):
                self.provider(selector, fatal_status_codes=fatal).initialize(EvaluationContext())

    def test_it_goes_on_while_the_server_is_away_and_catches_up(self):
        flags.make(self.server, {"flag": "kept"})
        client = self.client(retry_grace_period=1)
        heard = []
        client.add_handler(ProviderEvent.PROVIDER_STALE, lambda _: heard.append("stale"))
        self.server.kill()
        self.until(lambda: "stale" in heard, within=30)
        self.assertIs(client.get_boolean_value("kept", False), True)
        self.server.open(self.server.url.removeprefix("http://"))
        self.server.call("POST", "/api/flags/kept/toggle", {"on": False, "environment": "development", "why": "back"})
        self.until(lambda: client.get_boolean_value("kept", True) is False, within=30)


if __name__ == "__main__":
    unittest.main()

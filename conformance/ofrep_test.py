"""Conformance: OFREP with the official Python SDK and provider."""

import unittest

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

import flags
from harness import Proof
from sdk import ofrep_provider


class Ofrep(Proof):
    """The provider as its documentation says: a base URL and a header."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        flags.every_kind(cls.server)
        cls.addClassCleanup(api.clear_providers)
        api.set_provider(ofrep_provider(cls.server, "server"), "server")
        api.set_provider(ofrep_provider(cls.server, "client"), "client")

    def check(self, details, value, variant, reason):
        self.assertEqual((details.value, details.variant, details.reason), (value, variant, reason), details)

    def test_every_kind_with_its_reason(self):
        for scope in ("server", "client"):
            client = api.get_client(scope)
            user = EvaluationContext("user-1", {"country": "DE"})
            abroad = EvaluationContext("user-1", {"country": "JP"})
            vip = EvaluationContext("vip-1")
            self.check(client.get_boolean_details("new-checkout", False, user), True, "on", Reason.STATIC)
            self.check(client.get_float_details("page-size", 1.5, user), 25.5, "large", Reason.TARGETING_MATCH)
            self.check(client.get_float_details("page-size", 1.5, abroad), 10.5, "small", Reason.DEFAULT)
            self.check(client.get_integer_details("retries", 1, user), 3, "three", Reason.STATIC)
            self.check(client.get_object_details("layout", {}, vip), {"columns": 3}, "wide", Reason.TARGETING_MATCH)
            self.check(client.get_object_details("layout", {}, user), {"columns": 1}, "narrow", Reason.DEFAULT)
            self.check(client.get_boolean_details("old-search", True, user), False, "off", Reason.DISABLED)
            banner = client.get_string_details("banner", "none", user)
            self.assertEqual(banner.reason, Reason.SPLIT)
            self.assertEqual(banner.value, {"a": "red", "b": "green", "c": "blue"}[banner.variant])

    def test_what_cannot_be_answered_gives_the_default_and_says_why(self):
        client = api.get_client("server")
        user = EvaluationContext("user-1")
        unknown = client.get_boolean_details("no-such-flag", True, user)
        self.assertEqual((unknown.value, unknown.error_code), (True, ErrorCode.FLAG_NOT_FOUND))
        mismatch = client.get_string_details("new-checkout", "default", user)
        self.assertEqual((mismatch.value, mismatch.error_code), ("default", ErrorCode.TYPE_MISMATCH))
        # A split has nobody to place; what divides nobody needs no id.
        nobody = client.get_string_details("banner", "none", EvaluationContext(None, {"a": 1}))
        self.assertEqual((nobody.value, nobody.error_code), ("none", ErrorCode.TARGETING_KEY_MISSING))
        self.check(client.get_object_details("layout", {}, EvaluationContext(None, {"a": 1})), {"columns": 1}, "narrow", Reason.DEFAULT)


if __name__ == "__main__":
    unittest.main()

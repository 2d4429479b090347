"""Conformance: events by the protocols of Segment, RudderStack, PostHog and Mixpanel: what their official Python SDKs
send arrives, about the right people, and an SDK hears of what was not taken."""

import os
import unittest

import mixpanel
import posthog
import rudderstack.analytics.client as rudderstack
import segment.analytics.client as segment

from harness import Proof


class Peers(Proof):
    """What the tests of all SDKs ask."""

    def setUp(self):
        self.before = len(self.recent())

    def recent(self):
        asked = f"/api/events/recent?environment={self.server.environment}&limit=100"
        return self.server.call("GET", asked)["events"]

    def stored(self, count):
        """What this test stored, by the names of the events, once there are so many."""
        self.until(lambda: len(self.recent()) >= self.before + count)
        events = self.recent()
        self.assertEqual(len(events), self.before + count, events)
        return {event["event"]: event for event in events[:count]}

    def people(self):
        """How many people did something."""
        return self.server.total("_any", measure="uniques")


class Segment(Peers):
    """`segment-analytics-python`; RudderStack's is made of it."""

    def client(self, key=None, **options):
        errors = []
        options = {"host": self.server.url, "upload_interval": 0.05, "on_error": lambda e, _: errors.append(e), **options}
        client = self.sdk.Client(key or self.server.keys["client"], **options)
        return client, errors

    sdk = segment

    def test_each_kind_of_message_is_delivered(self):
        client, errors = self.client(gzip=True)
        # An anonymous visitor signs in, and what they did before is theirs.
        client.track(anonymous_id="anon-1", event="Visited")
        client.identify("user-1", {"plan": "pro"}, anonymous_id="anon-1")
        client.group("user-1", "acme", {"tier": "gold"})
        client.track("user-1", "Bought", {"price": 9.5}, context={"groupId": "acme"})
        client.page("user-1", "Shop", "Home", {"url": "https://x"})
        client.screen("user-1", "Shop", "Main")
        client.alias("anon-2", "user-1")
        client.flush()
        client.join()
        self.assertEqual(errors, [])
        events = self.stored(7)
        names = {"Visited", "$identify", "$groupidentify", "Bought", "Page Viewed", "Screen Viewed", "$create_alias"}
        self.assertEqual(set(events), names)
        bought = events["Bought"]
        self.assertEqual(bought["who"], {"user": "user-1"})
        self.assertEqual(bought["properties"], {"price": 9.5})
        self.assertEqual(bought["user_properties"]["plan"], "pro")
        self.assertRegex(bought["user_properties"]["library"], r"^(analytics-python|rudder-analytics-python)/\d")
        self.assertEqual(bought["group_properties"], {"group": {"acme": {"tier": "gold"}}})
        self.assertEqual(events["Visited"]["who"], {"device": "anon-1"})
        self.assertEqual(events["$create_alias"]["who"], {"both": {"user": "user-1", "device": "anon-2"}})
        self.assertEqual(self.people(), 1)

    def test_a_key_that_nobody_knows_is_an_error_of_the_sdk(self):
        client, errors = self.client("nobody", max_retries=1)
        client.track("user-1", "Never Stored")
        client.flush()
        client.join()
        [error] = errors
        self.assertEqual(error.status, 401)
        self.assertIn("key", error.message)
        self.assertEqual(self.server.total("Never Stored"), 0)


class RudderStack(Segment):
    """`rudder-sdk-python`."""

    sdk = rudderstack


class PostHog(Peers):
    """`posthog`, by its older capture."""

    mode = "v0"

    def client(self, **options):
        errors = []
        options = {"host": self.server.url, "on_error": lambda e, _: errors.append(e), "capture_mode": self.mode, **options}
        client = posthog.Posthog(self.server.keys["client"], **options)
        self.addCleanup(client.shutdown)
        return client, errors

    def test_events_people_and_groups_are_delivered(self):
        client, errors = self.client(gzip=True)
        client.set(distinct_id="user-1", properties={"plan": "pro"})
        client.set_once(distinct_id="user-1", properties={"plan": "free", "first": 1})
        # The names mislead: what is given first is who stays.
        client.alias("user-1", "anon-1")
        client.group_identify("company", "acme", {"tier": "gold"})
        client.capture("Bought", distinct_id="user-1", properties={"price": 9.5}, groups={"company": "acme"})
        client.flush()
        self.assertEqual(errors, [])
        events = self.stored(5)
        bought = events["Bought"]
        self.assertEqual(bought["who"], {"user": "user-1"})
        self.assertEqual(bought["properties"]["price"], 9.5)
        self.assertEqual(bought["user_properties"]["plan"], "pro")
        self.assertEqual(bought["user_properties"]["first"], 1)
        self.assertEqual(bought["group_properties"], {"company": {"acme": {"tier": "gold"}}})
        self.assertEqual(events["$create_alias"]["who"], {"both": {"user": "user-1", "device": "anon-1"}})

    def test_a_key_that_nobody_knows_is_an_error_of_the_sdk(self):
        errors = []
        options = {"host": self.server.url, "on_error": lambda e, _: errors.append(e), "capture_mode": self.mode}
        client = posthog.Posthog("nobody", max_retries=0, **options)
        self.addCleanup(client.shutdown)
        client.capture("Never Stored", distinct_id="user-1")
        client.flush()
        self.assertEqual(len(errors), 1)
        self.assertIn("401", str(errors[0]))
        self.assertEqual(self.server.total("Never Stored"), 0)


class PostHogV1(PostHog):
    """The same by Capture V1."""

    mode = "v1"

    def test_what_was_dropped_is_told_with_the_reason(self):
        client, errors = self.client()
        client.capture("Good", distinct_id="user-2")
        client.capture("Bad", distinct_id="anonymous")
        client.flush()
        self.assertEqual(self.server.total("Good"), 1)
        self.assertEqual(self.server.total("Bad"), 0)
        self.assertEqual(len(errors), 1)
        self.assertIn("placeholder", str(errors[0]) + str(vars(errors[0])))


class Mixpanel(Peers):
    """`mixpanel`."""

    def client(self, consumer=mixpanel.Consumer, key=None):
        paths = {"events_url": "track", "people_url": "engage", "groups_url": "groups", "import_url": "import"}
        urls = {name: f"{self.server.url}/{path}" for name, path in paths.items()}
        return mixpanel.Mixpanel(key or self.server.keys["client"], consumer(**urls))

    def test_events_people_and_groups_are_delivered(self):
        client = self.client()
        client.people_set("user-1", {"plan": "pro", "n": 1})
        client.people_set_once("user-1", {"plan": "free", "first": "a"})
        client.people_increment("user-1", {"n": 2})
        client.people_append("user-1", {"list": "a"})
        client.people_union("user-1", {"list": ["a", "b"]})
        client.people_unset("user-1", ["first"])
        client.group_set("company", "acme", {"tier": "gold"})
        # `alias` cannot be pointed anywhere but at its maker's server.
        client.track("user-1", "Bought", {"price": 9.5})
        events = self.stored(8)
        bought = events["Bought"]
        self.assertEqual(bought["who"], {"user": "user-1"})
        self.assertEqual(bought["properties"]["price"], 9.5)
        known = dict(bought["user_properties"])
        self.assertRegex(known.pop("library"), f"^python/{os.environ.get('MIXPANEL', '4')}\\.")
        self.assertEqual(known, {"plan": "pro", "n": 3, "list": ["a", "b"]})

    def test_an_import_and_a_buffer_are_delivered(self):
        client = self.client()
        client.import_data(self.server.keys["client"], "user-2", "Imported", 1_767_225_600)
        buffered = self.client(mixpanel.BufferedConsumer)
        for n in range(3):
            buffered.track("user-2", "Buffered", {"n": n})
        buffered._consumer.flush()
        self.assertEqual(self.server.total("Buffered", by="n"), {"0": 1, "1": 1, "2": 1})
        self.assertEqual(self.server.total("Imported", since="2026-01-01"), 1)

    def test_what_is_not_taken_is_an_error_of_the_sdk(self):
        for client, user in [(self.client(key="nobody"), "user-1"), (self.client(), "anonymous")]:
            with self.assertRaises(mixpanel.MixpanelException):
                client.track(user, "Never Stored")
        self.assertEqual(self.server.total("Never Stored"), 0)


if __name__ == "__main__":
    unittest.main()

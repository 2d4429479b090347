"""Conformance: the official Python analytics SDK delivers its events, and what a 400 lists is dropped
while the rest is sent again."""

import unittest

from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify, Revenue

from harness import Proof


class Events(Proof):
    """`amplitude-analytics` as its documentation says, with a server URL."""

    def client(self, **options):
        outcomes = []
        config = Config(
            api_key=self.server.keys["client"],
            server_url=f"{self.server.url}/2/httpapi",
            callback=lambda event, code, message: outcomes.append((event.event_type, code, message)),
            **options,
        )
        client = Amplitude(self.server.keys["client"], config)
        self.addCleanup(client.shutdown)
        return client, outcomes

    @staticmethod
    def flush(client):
        for future in client.flush() or []:
            if future is not None:
                future.result(timeout=30)

    def test_it_delivers_events_identities_groups_and_revenue(self):
        client, outcomes = self.client()
        client.track(BaseEvent("Song Played", user_id="user-1", event_properties={"title": "α✓", "length": 201.5}))
        client.track(BaseEvent("Song Played", user_id="user-2", device_id="device-2", event_properties={"title": "β"}))
        client.identify(Identify().set("plan", "pro").add("logins", 1), EventOptions(user_id="user-1"))
        client.set_group("org", "acme", EventOptions(user_id="user-1"))
        client.revenue(Revenue(price=9.5, quantity=2), EventOptions(user_id="user-1"))
        self.flush(client)
        self.assertEqual([code for _, code, _ in outcomes], [200] * 5, outcomes)
        self.assertEqual(self.server.total("Song Played", by="title"), {"α✓": 1, "β": 1})
        self.assertEqual(self.server.total("$identify"), 2)
        self.assertEqual(self.server.total("revenue_amount"), 1)

    def test_an_insert_id_counts_once(self):
        client, _ = self.client()
        for _ in range(2):
            client.track(BaseEvent("Opened Once", user_id="user-1", insert_id="the-same"))
            self.flush(client)
        self.assertEqual(self.server.total("Opened Once"), 1)

    def test_what_a_400_lists_is_dropped_and_the_rest_sent_again(self):
        client, outcomes = self.client(flush_interval_millis=50)
        client.track(BaseEvent("Opened", user_id="user-1", event_properties={"n": 1}))
        client.track(BaseEvent("Opened", user_id="anonymous", event_properties={"n": 2}))
        client.track(BaseEvent("Opened", user_id="user-1", event_properties={"n": 3}))
        self.until(lambda: len(outcomes) == 3)
        self.assertEqual(sorted(code for _, code, _ in outcomes), [200, 200, 400], outcomes)
        self.assertEqual(self.server.total("Opened", by="n"), {"1": 1, "3": 1})

    def test_what_is_no_number_takes_no_other_event_with_it(self):
        client, outcomes = self.client()
        for n, length in enumerate((1.5, float("nan"), float("inf"), float("-inf"))):
            client.track(BaseEvent("Measured", user_id=f"user-{n}", event_properties={"length": length}))
        self.flush(client)
        self.assertEqual([code for _, code, _ in outcomes], [200] * 4, outcomes)
        lengths = self.server.total("Measured", by="length")
        self.assertEqual(lengths, {"1.5": 1, "NaN": 1, "Infinity": 1, "-Infinity": 1})

    def test_a_key_that_nobody_knows_is_told_so_and_nothing_is_sent_again(self):
        config = Config(api_key="nobody", server_url=f"{self.server.url}/2/httpapi")
        client = Amplitude("nobody", config)
        self.addCleanup(client.shutdown)
        client.track(BaseEvent("Never Stored", user_id="user-1"))
        with self.assertLogs("amplitude", "ERROR") as logs:
            self.flush(client)
        self.assertIn("Invalid API Key", logs.output[0])
        self.assertEqual(config.get_storage().total_events, 0)
        self.assertEqual(self.server.total("Never Stored"), 0)


if __name__ == "__main__":
    unittest.main()

//! Web: an event as it is sent, ready to run: from a shell, whatever it is called, and by the SDK of each protocol.

/** A curl that sends one event over the Amplitude protocol; without a type, a purchase with its amount. */
export function curl(origin: string, key: string, event?: string): string {
  const one =
    event === undefined
      ? '"event_type": "purchase", "event_properties": {"amount": 42}'
      : `"event_type": ${JSON.stringify(event)}`;
  // Within single quotes a shell leaves everything as it is, but for the quote itself.
  const body = `{"api_key": ${JSON.stringify(key)}, "events": [
        {"user_id": "ana-1", ${one}}]}`.replaceAll("'", String.raw`'\''`);
  return `curl -X POST ${origin}/2/httpapi \\
  -H "Content-Type: application/json" \\
  -d '${body}'`;
}

/** How a purchase is sent by each protocol: with the SDK for Node that its makers give, or from a shell. */
export function sendings(origin: string, key: string): { name: string; text: string }[] {
  const { host, protocol } = new URL(origin);
  return [
    {
      name: "Amplitude",
      text: `import { init, track } from "@amplitude/analytics-node";

init("${key}", { serverUrl: "${origin}/2/httpapi" });
track("purchase", { amount: 42 }, { user_id: "ana-1" });`,
    },
    {
      name: "Segment",
      text: `import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "${key}", host: "${origin}" });
analytics.track({ userId: "ana-1", event: "purchase", properties: { amount: 42 } });
await analytics.closeAndFlush();`,
    },
    {
      name: "PostHog",
      text: `import { PostHog } from "posthog-node";

const posthog = new PostHog("${key}", { host: "${origin}" });
posthog.capture({ distinctId: "ana-1", event: "purchase", properties: { amount: 42 } });
await posthog.shutdown();`,
    },
    {
      name: "Mixpanel",
      text: `import Mixpanel from "mixpanel";

const mixpanel = Mixpanel.init("${key}", { host: "${host}", protocol: "${protocol.replace(":", "")}" });
mixpanel.track("purchase", { distinct_id: "ana-1", amount: 42 });`,
    },
    {
      name: "OTLP",
      text: `curl -X POST ${origin}/v1/logs \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "eventName": "purchase", "attributes": [
          {"key": "user.id", "value": {"stringValue": "ana-1"}},
          {"key": "amount", "value": {"intValue": "42"}}]}]}]}]}'`,
    },
  ];
}

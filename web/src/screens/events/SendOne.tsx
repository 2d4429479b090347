//! Web: how a first event is sent, ready to run.
import { Snippet } from "../../parts/Words";

/** How to send a first event, over the Amplitude protocol that SDKs speak. */
export function SendOne({ apiKey = "<a client key, from Settings>" }: { apiKey?: string }) {
  return (
    <Snippet
      label="curl that sends an event"
      text={`curl -X POST ${window.location.origin}/2/httpapi \\
  -H "Content-Type: application/json" \\
  -d '{"api_key": "${apiKey}", "events": [
        {"user_id": "ana-1", "event_type": "purchase", "event_properties": {"amount": 42}}]}'`}
    />
  );
}

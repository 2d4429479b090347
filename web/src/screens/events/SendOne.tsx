//! Web: how a first event is sent, ready to run.
import { curl } from "../../lib/sending";
import { Snippet } from "../../parts/Words";

/** How to send a first event from a shell, over the Amplitude protocol. */
export function SendOne({ apiKey = "<a client key, from Settings>", event }: { apiKey?: string; event?: string }) {
  return <Snippet label="curl that sends an event" text={curl(window.location.origin, apiKey, event)} />;
}

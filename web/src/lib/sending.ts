//! Web: an event as it is sent from a shell, whatever it is called.

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

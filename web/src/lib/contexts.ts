//! Web: contexts of people who were here last, made of their newest events: the ids and the properties of the user.
import type { RecentEvent } from "../api/types";

/** A person, or a device, as a context. */
export type Recent = { name: string; at: number; context: Record<string, unknown> };

/** One context for each person or device, the newest first; events are taken in the order in which they come. */
export function contextsOf(events: RecentEvent[]): Recent[] {
  const seen = new Map<string, Recent>();
  for (const { who, time, user_properties } of events) {
    const ids = "both" in who ? who.both : who;
    const name = "user" in ids ? ids.user : ids.device;
    if (seen.has(name)) continue;
    const context = {
      ...("user" in ids ? { targetingKey: ids.user } : {}),
      ...("device" in ids ? { device_id: ids.device } : {}),
      ...user_properties,
    };
    seen.set(name, { name, at: time, context });
  }
  return [...seen.values()];
}

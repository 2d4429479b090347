//! Web: whose an event is, as it is read.
import type { RecentEvent } from "../api/types";

/** The user, the device, or both: `ana-1 on laptop`. */
export function whose(who: RecentEvent["who"]): string {
  if ("user" in who) return who.user;
  return "device" in who ? who.device : `${who.both.user} on ${who.both.device}`;
}

//! Web: whose an event is, as it is read.
import type { RecentEvent } from "../api/types";
import { nameText } from "./sent";

/** The user, the device, or both: `ana-1 on laptop`. */
export function whose(who: RecentEvent["who"], named: (id: string) => string = (id) => id): string {
  if ("user" in who) return named(who.user);
  return "device" in who ? named(who.device) : `${named(who.both.user)} on ${named(who.both.device)}`;
}

/** The same as it is shown, whatever stands in the ids. */
export const whoText = (who: RecentEvent["who"]) => whose(who, nameText);

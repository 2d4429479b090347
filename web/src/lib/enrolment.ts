//! Web: the limits of enrolment, as they are read and as the API takes them.
import type { Enrolment } from "../api/types";
import { count, plural, share } from "./numbers";

/** Whether somebody has to remember who was enrolled. */
export function remembers({ units, sticky }: Enrolment): boolean {
  return units != null || Boolean(sticky);
}

/** Limits as the API takes them, all of them: what is left out would stay as it is. */
export function asEdit({ share, units, sticky }: Enrolment) {
  return { share: share ?? ("none" as const), units: units ?? ("none" as const), sticky: Boolean(sticky) };
}

/** Limits as a form holds them: what is not said is left out, so that two that mean the same are the same. */
export function asDraft({ share, units, sticky }: Enrolment): Enrolment {
  return { share: share ?? undefined, units: units ?? undefined, sticky: sticky || undefined };
}

/** How many are enrolled of how many may be: `1 of 1 is enrolled`. */
export function enrolledText(enrolled: number, most?: number): string {
  const of = most === undefined ? count(enrolled) : `${count(enrolled)} of ${count(most)}`;
  return `${of} ${enrolled === 1 ? "is" : "are"} enrolled`;
}

/** Limits as they are read: `at most 5% of everybody and 10 000 users, who keep their variant`. */
export function limitsText(limits: Enrolment, unit: string): string {
  const most = [
    limits.share != null ? `${share(limits.share)} of everybody` : "",
    limits.units != null ? plural(limits.units, unit) : "",
  ].filter(Boolean);
  const keep = limits.sticky ? "whoever is enrolled keeps their variant" : "";
  if (most.length === 0) return keep ? `no limit, and ${keep}` : "no limit";
  return `at most ${most.join(" and ")}${keep ? `, and ${keep}` : ""}`;
}

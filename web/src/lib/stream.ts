//! Web: the newest events as they are looked through: by type, by a text, by whether they follow the plan.
import type { RecentEvent } from "../api/types";
import { nameText, unturned } from "./sent";
import { whose } from "./who";

/** What is looked for among the newest events; what is left out lets all through. */
export type Look = { q?: string; of?: string; marked?: boolean };

/** How a stored event does not follow the plan, by the mark that it carries. */
export function verdictOf(event: RecentEvent): string | undefined {
  const mark = event.properties?.["$verdict"];
  return typeof mark === "string" ? mark : undefined;
}

/** The properties of an event but for its mark, by name, as JSON. */
function pairs(event: RecentEvent): [string, string][] {
  return Object.entries(event.properties ?? {})
    .filter(([name]) => name !== "$verdict")
    .map(([name, value]) => [name, JSON.stringify(value)]);
}

/** The same as they are read: `total=9.5 currency="EUR"`. */
export function propertiesText(event: RecentEvent): string {
  return pairs(event)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

/** As many of them as take `most` characters, by name; the last may be cut. */
export function firstProperties(event: RecentEvent, most: number): [string, string][] {
  const shown: [string, string][] = [];
  let left = most;
  for (const [name, value] of pairs(event)) {
    if (left <= 0) break;
    const of = [nameText(name), unturned(value)] as const;
    const fits = of[0].length + of[1].length < left;
    shown.push(fits ? [...of] : [of[0].slice(0, left), `${of[1].slice(0, Math.max(0, left - of[0].length - 1))}…`]);
    left -= of[0].length + of[1].length + 2;
  }
  return shown;
}

/** Whether an event is one that is looked for: all words of the text stand somewhere in it. */
export function looked(event: RecentEvent, { q = "", of, marked = false }: Look): boolean {
  if (of !== undefined && event.event !== of) return false;
  if (marked && verdictOf(event) === undefined) return false;
  const hay = `${event.event} ${whose(event.who)} ${propertiesText(event)}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => hay.includes(word));
}

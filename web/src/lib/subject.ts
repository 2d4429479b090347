//! Web: what a change is about: where it is shown, and where its sentence names it.
import type { ChangeView } from "../api/types";
import { nameText, unturned } from "./sent";

type Subject = ChangeView["about"];

/** The page of a thing; `undefined` for what has none. */
export function addressOf(about: Subject): string | undefined {
  switch (about.subject) {
    case "flag":
    case "segment":
    case "layer":
    case "holdout":
    case "beta":
    case "experiment":
    case "metric":
      return `/${about.subject}s/${encodeURIComponent(about.key)}`;
    case "proposal":
      return `/plan/proposals/${encodeURIComponent(about.key)}`;
    case "plan":
      return "/plan";
    case "event_type":
      return `/plan?event=${encodeURIComponent(about.key)}`;
    case "environment":
      return "/settings?tab=environments";
    case "schedule":
      return undefined;
  }
}

/** A sentence before, at and after the first place that names a thing; where nothing does, the name comes last.
 * Each is as it is shown. */
export function around(sentence: string, name: string): [string, string, string] {
  const letter = /[A-Za-z0-9._-]/;
  for (let at = sentence.indexOf(name); at >= 0; at = sentence.indexOf(name, at + 1)) {
    const [left, right] = [sentence[at - 1] ?? " ", sentence[at + name.length] ?? " "];
    if (!letter.test(left) && !letter.test(right))
      return [unturned(sentence.slice(0, at)), nameText(name), unturned(sentence.slice(at + name.length))];
  }
  return [`${unturned(sentence)} `, nameText(name), ""];
}

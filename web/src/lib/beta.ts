//! Web: a beta in words: whom it is for, what they get, and what of it nobody sees.
import type { BetaView } from "../api/types";
import { groupsText } from "./conditions";
import { plural } from "./numbers";
import { and } from "./spoken";

/** Whether it is shown in an environment. */
export function isOn({ beta }: BetaView, environment: string): boolean {
  return !beta.archived && (beta.on ?? []).includes(environment);
}

/** The names of the betas that are on in an environment and hold a flag. */
export function holding(list: BetaView[], flag: string, environment: string): string[] {
  return list
    .filter((v) => isOn(v, environment) && v.beta.flags[flag] !== undefined)
    .map((v) => v.beta.name || v.beta.key);
}

/** Those of its flags that are off in an environment, so that nobody sees them. */
export function darkIn(view: BetaView, environment: string): string[] {
  return view.dark[environment] ?? [];
}

/** Who takes part, as it is read. */
export function audienceText({ beta }: BetaView): string {
  return groupsText(beta.audience);
}

/** What the audience gets: `the audience gets “on” of new-search, and “dark” of theme`. */
export function servesText({ beta }: Pick<BetaView, "beta">): string {
  const all = Object.entries(beta.flags).map(([flag, variant]) => `“${variant}” of ${flag}`);
  return all.length > 0 ? `the audience gets ${and(all)}` : "it has no flags";
}

/** Where it stands in an environment, as a sentence. */
export function stands(view: BetaView, environment: { key: string; name: string }): string {
  if (view.beta.archived) return "Archived: it is shown to nobody.";
  const flags = Object.keys(view.beta.flags).length;
  if (!isOn(view, environment.key)) return `Off in ${environment.name}: nobody is in it.`;
  const dark = darkIn(view, environment.key).length;
  const on = `On in ${environment.name} for whoever matches: ${audienceText(view)}.`;
  if (dark === 0) return on;
  return `${on} Nobody sees ${dark === flags ? "any of its flags" : `${dark} of its ${plural(flags, "flag")}`}: ${dark === 1 ? "it is" : "they are"} off.`;
}

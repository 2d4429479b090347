//! Web: what contexts have, as far as events tell: the ids, and the properties of users, by the names that rules
//! have for them.
import type { Properties } from "../api/types";

/** An attribute that a rule can test, with values that it has had. */
export type Attribute = { name: string; kinds: string; distinct: number | null; examples: string[] };

/** Properties of users stand in events under this prefix, and in contexts without it. */
const OF_USERS = "user.";

const IDS: [string, string][] = [
  ["user_id", "the user's id, targetingKey"],
  ["device_id", "the device's id"],
  ["session_id", "the session's id"],
  ["account_id", "the account's id"],
];

/** Attributes to suggest. */
export function attributesOf(known: Properties | undefined): Attribute[] {
  const had = (known?.properties ?? []).filter((p) => p.property.startsWith(OF_USERS));
  const found = had.map((p) => ({
    name: p.property.slice(OF_USERS.length),
    kinds: p.kinds.join(" or "),
    distinct: p.distinct,
    examples: p.examples.map((e) => e.value),
  }));
  const ids = IDS.filter(([name]) => !found.some((a) => a.name === name));
  return [...found, ...ids.map(([name, kinds]) => ({ name, kinds, distinct: null, examples: [] }))];
}

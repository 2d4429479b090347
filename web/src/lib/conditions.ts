//! Web: what a rule or a segment asks: the operators with their words, what their values look like, and
//! conditions as they are read.
import type { Clause, Condition, InSegment, Op } from "../api/types";

/** What the values of an operator are. */
export type Takes = "text" | "number" | "version" | "date" | "network" | "pattern" | "set";

/** An operator as people know it. */
type Word = { word: string; takes: Takes; hint?: string };

const text = (word: string): Word => ({ word, takes: "text" });
const number = (word: string): Word => ({ word, takes: "number" });
const version = (word: string): Word => ({ word, takes: "version" });
const set = (word: string): Word => ({ word, takes: "set" });

const WORDS: Record<Op, Word> = {
  is: text("is"),
  is_not: text("is not"),
  contains: text("contains"),
  does_not_contain: text("does not contain"),
  starts_with: text("starts with"),
  does_not_start_with: text("does not start with"),
  ends_with: text("ends with"),
  does_not_end_with: text("does not end with"),
  matches: { word: "matches the pattern", takes: "pattern" },
  does_not_match: { word: "does not match the pattern", takes: "pattern" },
  less: number("<"),
  less_or_equal: number("≤"),
  greater: number(">"),
  greater_or_equal: number("≥"),
  version_is: version("is version"),
  version_is_not: version("is not version"),
  version_less: version("is a version before"),
  version_less_or_equal: version("is a version up to"),
  version_greater: version("is a version after"),
  version_greater_or_equal: version("is a version from"),
  version_caret: { ...version("is version ^"), hint: "same major" },
  version_tilde: { ...version("is version ~"), hint: "same major and minor" },
  before: { word: "is before", takes: "date" },
  after: { word: "is after", takes: "date" },
  set_is: set("is the set"),
  set_is_not: set("is not the set"),
  set_contains: set("has all of"),
  set_does_not_contain: set("lacks one of"),
  set_contains_any: set("has any of"),
  set_does_not_contain_any: set("has none of"),
  in_network: { word: "is in the network", takes: "network" },
  not_in_network: { word: "is not in the network", takes: "network" },
};

const GROUPS: [Takes[], string][] = [
  [["text", "pattern"], "Text"],
  [["number"], "Number"],
  [["version"], "Version"],
  [["date"], "Time"],
  [["set"], "List"],
  [["network"], "IP address"],
];

const ALL = Object.entries(WORDS) as [Op, Word][];

/** Every operator with its word, by what it tests. */
export const OP_GROUPS = GROUPS.map(([takes, group]) => ({
  group,
  items: ALL.filter(([, w]) => takes.includes(w.takes)).map(([value, w]) => ({ value, label: w.word })),
}));

/** What the values of an operator are. */
export function takes(op: Op): Takes {
  return WORDS[op].takes;
}

/** What an operator's word leaves open. */
export function opHint(op: string): string | undefined {
  return WORDS[op as Op]?.hint;
}

/** An example of a value, for an empty field. */
export const EXAMPLES: Record<Takes, string> = {
  text: "Values",
  number: "100",
  version: "3.2.0",
  date: "2026-11-03 or 2026-11-03T09:00:00Z",
  network: "10.0.0.0/8",
  pattern: "^team-[0-9]+$",
  set: "Values",
};

/** Sets are told by all of their values, everything else by any of them. */
const JOINED: Partial<Record<Op, string>> = { set_is: " and ", set_is_not: " and ", set_contains: " and " };

export function isSegment(condition: Condition): condition is InSegment {
  return "segment" in condition;
}

/** A condition as it is read: `plan is pro or team`, `in segment beta`. */
export function conditionText(condition: Condition): string {
  if (isSegment(condition)) return `${condition.not ? "not in" : "in"} segment ${condition.segment || "…"}`;
  return clauseText(condition);
}

/** A clause as it is read: `plan is pro or team`. */
export function clauseText({ attribute, op, values }: Clause): string {
  return `${attribute || "…"} ${WORDS[op].word} ${values.join(JOINED[op] ?? " or ")}`;
}

/** Groups of conditions as they are read. */
export function groupsText(groups: Condition[][]): string {
  return groups.map((group) => group.map(conditionText).join(" and ")).join(", or ");
}

const NUMBER = /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$/;
const VERSION = /^\d+\.\d+(\.\d+(-[0-9A-Za-z.-]+)?)?$/;
const DATE = /^(-?\d+|\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}.*)?)$/;
const NETWORK = /^([\d.]+|[\da-fA-F:.]*:[\da-fA-F:.]*)(\/\d{1,3})?$/;

/** Stands for "no value", whatever the test. */
const NONE = "(none)";

const LOOKS: Partial<Record<Takes, [RegExp, string]>> = {
  number: [NUMBER, "is not a number such as 18 or -2.5"],
  version: [VERSION, "is not a version such as 3.2 or 3.2.0"],
  date: [DATE, "is not a time such as 2026-11-03 or 2026-11-03T09:00:00Z"],
  network: [NETWORK, "is not a network such as 10.0.0.0/8"],
};

/** What looks wrong with the values of a clause, while they are typed. The server has the last word. */
export function doubtful({ op, values }: Pick<Clause, "op" | "values">): string | null {
  const looks = LOOKS[takes(op)];
  const odd = looks && values.find((value) => value !== NONE && !looks[0].test(value));
  return odd === undefined || !looks ? null : `“${odd}” ${looks[1]}`;
}

/** The first thing that keeps conditions from being asked, as the end of a sentence. */
export function incomplete(groups: Condition[][], what: string): string | null {
  if (groups.some((group) => group.length === 0)) return `${what} has no condition`;
  for (const condition of groups.flat()) {
    if (isSegment(condition)) {
      if (!condition.segment) return `${what} asks for a segment without naming it`;
    } else {
      if (!condition.attribute.trim()) return `${what} has a condition without an attribute`;
      if (condition.values.length === 0) return `${what} has no value for ${condition.attribute}`;
    }
  }
  return null;
}

/** The place of a clause in what was sent, such as `` `rules[0].when[1][0].values` ``. */
const SENT = /^in `(?:rules\[(\d+)\]\.)?\w+\[(\d+)\]\[(\d+)\]\.values`: /;

/** A refusal without the words that say where: it stands there. */
export function atItsPlace(message: string): string {
  return message
    .replace(SENT, "")
    .replace(/^.*?\bon `[^`]+`: /, "")
    .replaceAll("`", "");
}

/** Where a refusal of the server belongs in a form of rules: a rule by its number, a test by its attribute. */
export type Place = { part: "rule" | "prerequisites" | "targets" | "whole"; rule?: number; attribute?: string };

/**
 * Reads the place from the words of a refusal, such as ``in rule 2 (`beta`), on `plan`: …`` or ``in
 * `rules[1].when[0][0].values`: …``; `groups` gives the conditions of a rule, or those of the whole for none.
 */
export function placeOf(message: string, groups: (rule?: number) => Condition[][] | undefined): Place {
  const sent = SENT.exec(message);
  if (sent) {
    const rule = sent[1] === undefined ? undefined : Number(sent[1]) + 1;
    const condition = groups(rule)?.[Number(sent[2])]?.[Number(sent[3])];
    const attribute = condition && !isSegment(condition) ? condition.attribute : undefined;
    return rule === undefined ? { part: "whole", attribute } : { part: "rule", rule, attribute };
  }
  const rule = /\brule (\d+)\b/.exec(message);
  const attribute = (/\bon `([^`]+)`:/.exec(message) ?? /tests `([^`]+)` against/.exec(message))?.[1];
  if (rule) return { part: "rule", rule: Number(rule[1]), attribute };
  return /prerequisite|\bneeds `/.test(message) ? { part: "prerequisites" } : { part: "whole", attribute };
}

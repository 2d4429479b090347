//! Web: the state of a page in its address. Plain `key=value` pairs that a person can read and edit;
//! a key that repeats is a list. What cannot be read falls back to the default, never to an error.

/** Search parameters as the router holds them. */
export type Search = Record<string, string | string[] | undefined>;

/** Reads `?a=1&b=x&b=y`. */
export function parseSearch(text: string): Search {
  const found: Search = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const had = found[key];
    found[key] = had === undefined ? value : Array.isArray(had) ? [...had, value] : [had, value];
  }
  return found;
}

/** Writes what `parseSearch` reads; empty values are left out. */
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") params.append(key, String(one));
    }
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** One text parameter, if it is there. */
export function text(value: unknown): string | undefined {
  const one = Array.isArray(value) ? value[0] : value;
  return typeof one === "string" && one !== "" ? one : typeof one === "number" ? String(one) : undefined;
}

/** One of the words that a parameter may be. */
export function oneOf<T extends string>(value: unknown, words: readonly T[]): T | undefined {
  const one = text(value);
  return words.find((w) => w === one);
}

/** How a condition tests a property; the words of the API. */
export const FILTER_OPS = [
  "is",
  "is_not",
  "contains",
  "does_not_contain",
  "less",
  "less_or_equal",
  "greater",
  "greater_or_equal",
] as const;
/** One of them. */
export type FilterOp = (typeof FILTER_OPS)[number];
/** A condition on an event. */
export type Filter = { property: string; op: FilterOp; values: string[] };

const escape = (part: string) => part.replace(/[\\~|]/g, "\\$&");

/** `plan~is~pro|team`; `~`, `|` and `\` inside a part are escaped with `\`. */
export function encodeFilter(filter: Filter): string {
  return [escape(filter.property), filter.op, filter.values.map(escape).join("|")].join("~");
}

/** Reads what `encodeFilter` writes; `null` where it is not a condition. */
export function decodeFilter(text: string): Filter | null {
  const parts: string[][] = [[""]];
  for (let i = 0; i < text.length; i++) {
    const list = parts[parts.length - 1]!;
    const c = text[i]!;
    if (c === "\\" && i + 1 < text.length) list[list.length - 1] += text[++i]!;
    else if (c === "~" && parts.length < 3) parts.push([""]);
    else if (c === "|" && parts.length === 3) list.push("");
    else list[list.length - 1] += c;
  }
  const [property, op, values] = [parts[0]?.[0], parts[1]?.[0], parts[2]];
  const known = FILTER_OPS.find((o) => o === op);
  return property && known && values ? { property, op: known, values } : null;
}

/** The conditions of a parameter, those that can be read. */
export function decodeFilters(value: unknown): Filter[] {
  const all = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return all.flatMap((one) => (typeof one === "string" ? (decodeFilter(one) ?? []) : []));
}

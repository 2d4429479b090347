//! Web: sentences of the server with their numbers and times as the page writes them, so that a number
//! looks the same in a sentence and in the table below it. Only the form changes, never the value.
import { count, fixed, pValue, rate } from "./numbers";
import { moment } from "./time";

const LEVEL = /(\d+(?:\.\d+)?)% of (\d{1,3}(?:,\d{3})+|\d+)\b(?!\.?\d*%)/g;
const GROUPED = /\b\d{1,3}(?:,\d{3})+\b/g;
const P = /\bp = (\d+(?:\.\d+)?(?:e-?\d+)?)\b/g;
const MOMENT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z/g;
const NEGATIVE = /(^|[\s(])-(?=\d)/g;

const digits = (text: string) => Number(text.replaceAll(",", ""));

/** `35.59% of 10,021, p = 0.00155` as `35.59% of 10\u202f021, p = 0.0016`. */
export function spoken(text: string): string {
  return text
    .replace(
      LEVEL,
      (_, percent: string, n: string) => `${rate(Number(percent) / 100, digits(n))} of ${count(digits(n))}`,
    )
    .replace(GROUPED, (n) => count(digits(n)))
    .replace(P, (_, p: string) => pValue(Number(p)))
    .replace(MOMENT, (at) => moment(Date.parse(at)))
    .replace(NEGATIVE, `$1${fixed(-1, 0).charAt(0)}`);
}

/** A sentence begins with a capital letter, unless it begins with a value. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const PLACES: Record<string, string> = {
  flags: "the list of flags",
  experiments: "the list of experiments",
  metrics: "the list of metrics",
  environments: "the environments in the bar above",
  keys: "the keys in the settings",
  events: "the list of events",
  changes: "the log of changes",
};

/** A hint that names a door of the API, for people who look at the page: `look at the list of flags`. */
export function hinted(text: string): string {
  return text
    .replace(/\bsee `?GET \/api\/([a-z]+)[^`\s]*`?(?: for what there is)?/g, (all, what: string) =>
      PLACES[what] ? `look at ${PLACES[what]}` : all,
    )
    .replace(
      /\bsee (the fields that this takes in the documentation|`\/openapi\.json` for what this operation takes)/g,
      () => "look at what was entered",
    );
}

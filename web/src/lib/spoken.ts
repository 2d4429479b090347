//! Web: sentences of the server where the page shows them. A recorded reason or a verdict is never
//! rewritten; only a first letter is raised, and a hint about a door of the API names the place on the page.

/** A sentence begins with a capital letter, unless it begins with a value. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A list as it is read: `a, b and c`. */
export function and(list: string[]): string {
  return list.length > 1 ? `${list.slice(0, -1).join(", ")} and ${list.at(-1)}` : (list[0] ?? "");
}

/** Alternatives as they are read: `a, b or c`. */
export function or(list: string[]): string {
  return list.length > 1 ? `${list.slice(0, -1).join(", ")} or ${list.at(-1)}` : (list[0] ?? "");
}

const PLACES: Record<string, string> = {
  flags: "the list of flags",
  experiments: "the list of experiments",
  metrics: "the list of metrics",
  segments: "the list of segments",
  layers: "the list of layers",
  holdouts: "the list of holdouts",
  betas: "the list of betas",
  schedules: "the scheduled changes",
  environments: "the environments in the bar above",
  keys: "the keys in the settings",
  events: "the list of events",
  changes: "the log of changes",
  plan: "the tracking plan",
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

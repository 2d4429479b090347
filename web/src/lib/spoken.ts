//! Web: sentences of the server where the page shows them. A recorded reason or a verdict is never
//! rewritten; only a first letter is raised, and a hint about a door of the API names the place on the page.

/** A sentence begins with a capital letter, unless it begins with a value. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
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

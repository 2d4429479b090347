//! Web: the tracking plan as the page edits it. A draft is a whole plan beside the one that it was made of; what it
//! changes, how it is brought up to date, and how an event type begins from what arrives.
import type {
  Convention,
  EventType,
  Handling,
  Lint,
  PlanChanges,
  PlannedProperty,
  PropertyKind,
  SeenProperty,
  TrackingPlan,
  Violation,
} from "../api/types";
import { pretty } from "./diff";
import { own } from "./own";
import { nameText, unturned } from "./sent";
import { or } from "./spoken";

/** The kinds of a property. Their words are the plan's own, as its file and what the server says of it have them. */
export const KINDS: readonly PropertyKind[] = [
  "string",
  "number",
  "integer",
  "boolean",
  "date_time",
  "list",
  "object",
  "any",
];

/** The words of the treatments of events. */
export const TREATMENTS: Record<Handling["invalid"], string> = {
  accept: "store and mark",
  quarantine: "quarantine",
  reject: "reject",
};

/** What is done where the plan says nothing of an environment. */
export const USUAL: Handling = {
  unplanned_events: "accept",
  unplanned_properties: "accept",
  invalid: "accept",
  personal: "mask",
  addresses: "truncate",
  user_ids: "keep",
  device_ids: "keep",
};

/** A plan in which nothing is planned. */
export const NOTHING: TrackingPlan = { rules: { naming: {} }, events: {} };

/** Whether two parts of plans say the same, in whatever order. */
export const same = (a: unknown, b: unknown) => pretty(a) === pretty(b);

/** What was read before, where it says the same, or else all that came: taken part by part, an event type called `__proto__`
 * would be lost, and a draft without it would be saved. */
export const whole = (was: unknown, now: unknown) => (same(was, now) ? was : now);

/** Whether no plan is asked about a name: an SDK gives it to what it collects by itself. */
export function reserved(name: string): boolean {
  return name.startsWith("$") || name.startsWith("[") || name === "feature_flag.evaluation";
}

/** A property without what is not said of it, as the server writes it. */
export function neatProperty(p: PlannedProperty): PlannedProperty {
  return {
    type: p.type,
    ...(p.description ? { description: p.description } : {}),
    ...(p.owner ? { owner: p.owner } : {}),
    ...(p.required ? { required: true } : {}),
    ...(p.personal ? { personal: true } : {}),
    ...(p.values?.length && holdsValues(p) ? { values: p.values } : {}),
    ...(p.items && p.type === "list" ? { items: p.items } : {}),
  };
}

/** An event type without what is not said of it, as the server writes it. */
export function neat(event: EventType): EventType {
  const properties = Object.entries(event.properties ?? {});
  return {
    ...(event.description ? { description: event.description } : {}),
    ...(event.owner ? { owner: event.owner } : {}),
    ...(event.retention_days ? { retention_days: event.retention_days } : {}),
    ...(properties.length ? { properties: Object.fromEntries(properties.map(([k, p]) => [k, neatProperty(p)])) } : {}),
  };
}

/** Whether a property may be held to some values. */
export function holdsValues({ type, items }: Pick<PlannedProperty, "type" | "items">): boolean {
  const of = type === "list" ? (items ?? "any") : type;
  return of === "string" || of === "number" || of === "integer";
}

/** Values as a field has them, and back: of a number's property they are numbers. */
export function valuesOf(texts: string[], { type, items }: Pick<PlannedProperty, "type" | "items">): unknown[] {
  const of = type === "list" ? items : type;
  const numeric = of === "number" || of === "integer";
  return texts.map((text) => (numeric && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text));
}

/** What a property holds, as it is read: `list of string`, `string: EUR or USD`. */
export function kindText(p: PlannedProperty): string {
  const of = p.type === "list" && p.items && p.items !== "any" ? `list of ${p.items}` : p.type;
  const values = (p.values ?? []).map((v) => nameText(String(v)));
  if (values.length === 0) return of;
  return `${of}: ${values.length > 6 ? `${values.slice(0, 5).join(", ")} or ${values.length - 5} more` : or(values)}`;
}

/** What a plan says of a property of an event type. */
export function plannedIn(
  plan: TrackingPlan | undefined,
  event: string,
  property: string,
): PlannedProperty | undefined {
  return own(own(plan?.events, event)?.properties, property);
}

/** What became of an event type in a draft. */
export type Mark = "new" | "changed" | "removed" | null;

/** What a draft makes of an event type. */
export function markOf(from: TrackingPlan, draft: TrackingPlan, name: string): Mark {
  const [was, now] = [own(from.events, name), own(draft.events, name)];
  if (!was) return now ? "new" : null;
  if (!now) return "removed";
  return same(was, now) ? null : "changed";
}

/** The event types of either plan that are not alike in both, in the order of their names. */
export function changedEvents(from: TrackingPlan, draft: TrackingPlan): string[] {
  const all = new Set([...Object.keys(from.events), ...Object.keys(draft.events)]);
  return [...all].filter((name) => markOf(from, draft, name) !== null).sort();
}

/** Whether two plans say the same. */
export function samePlan(a: TrackingPlan, b: TrackingPlan): boolean {
  return same(a.rules, b.rules) && changedEvents(a, b).length === 0;
}

/** A plan with an event type as it is to be; `null` takes it out, another name moves it there. */
export function withEvent(plan: TrackingPlan, name: string, event: EventType | null, was = name): TrackingPlan {
  const { [was]: _, ...rest } = plan.events;
  const { [name]: __, ...others } = rest;
  return { ...plan, events: event ? { ...others, [name]: neat(event) } : others };
}

/** An event type with a property as it is to be; `null` takes it out, another name moves it there. */
export function withProperty(event: EventType, name: string, property: PlannedProperty | null, was = name): EventType {
  const { [was]: _, ...rest } = event.properties ?? {};
  const { [name]: __, ...others } = rest;
  return neat({ ...event, properties: property ? { ...others, [name]: property } : others });
}

/** The plan with changes made to it. */
export function withChanges(plan: TrackingPlan, changes: PlanChanges): TrackingPlan {
  const gone = new Set(changes.remove ?? []);
  return {
    rules: changes.rules ?? plan.rules,
    events: {
      ...Object.fromEntries(Object.entries(plan.events).filter(([name]) => !gone.has(name))),
      ...changes.save,
    },
  };
}

/** A draft of an older plan made one of the newer; what both have changed, each otherwise, is named and stays as in the draft. */
export function rebased(
  from: TrackingPlan,
  draft: TrackingPlan,
  now: TrackingPlan,
): { plan: TrackingPlan; clashes: string[] } {
  const events = new Map(Object.entries(now.events));
  const clashes: string[] = [];
  for (const name of changedEvents(from, draft)) {
    const mine = own(draft.events, name);
    if (markOf(from, now, name) !== null && !same(mine, own(now.events, name))) clashes.push(name);
    if (mine) events.set(name, mine);
    else events.delete(name);
  }
  const ruled = !same(from.rules, draft.rules);
  if (ruled && !same(from.rules, now.rules) && !same(draft.rules, now.rules)) clashes.unshift("the rules");
  return { plan: { rules: ruled ? draft.rules : now.rules, events: Object.fromEntries(events) }, clashes };
}

/** The kinds that the values of a property seem to have. Lists and objects are seen as one sort: where nothing else came, the
 * values that are shown tell which. */
function kindsOf({ kinds, examples }: Pick<SeenProperty, "kinds" | "examples">): PropertyKind[] {
  const all = (first: string) => examples.length > 0 && examples.every((e) => e.value.startsWith(first));
  if (kinds.length === 1 && kinds[0] === "other") {
    if (all("{")) return ["object"];
    if (all("[")) return ["list"];
  }
  return kinds.flatMap((kind) =>
    kind === "text" ? "string" : kind === "other" ? (["list", "object"] as const) : kind,
  );
}

/** The kind that a property seems to have. */
export function kindOf(seen: SeenProperty): PropertyKind {
  const [first, ...more] = kindsOf(seen);
  return first === undefined || more.length > 0 ? "any" : first;
}

/** The properties of the event itself that were seen and that a plan is asked about. */
export function ofEvent(seen: SeenProperty[]): SeenProperty[] {
  return seen.filter(
    (p) => !p.property.startsWith("user.") && !p.property.startsWith("group.") && !reserved(p.property),
  );
}

/** An event type as it arrives: its properties with the kinds of their values, none of them required. */
export function fromSeen(seen: SeenProperty[]): EventType {
  return neat({ properties: Object.fromEntries(ofEvent(seen).map((p) => [p.property, { type: kindOf(p) }])) });
}

/** The name of a convention as it is written in itself. */
export function conventionText(convention: Convention | null | undefined): string {
  if (!convention) return "as people like";
  if (typeof convention === "object") return `the pattern ${convention.pattern}`;
  return {
    snake_case: "snake_case",
    camel_case: "camelCase",
    pascal_case: "PascalCase",
    title_case: "Title Case",
    kebab_case: "kebab-case",
  }[convention];
}

/** What is probably not meant of a name, of all that is said of a plan. */
export function lintOf(lints: Lint[], event: string, property?: string): Lint | undefined {
  const subject = property === undefined ? `event type \`${event}\` is ` : `property \`${property}\` of \`${event}\` `;
  return lints.find((l) => l.message.startsWith(subject));
}

/** The better name that a hint has, `write \`Order Completed\``. */
export function better(lint: Lint | undefined): string | undefined {
  return lint?.hint.match(/^write `([^`]+)`$/)?.[1];
}

/** What the plan wanted where an event did not follow it, and what came instead. */
export function wantedAndCame(v: Violation, plan: TrackingPlan | undefined): { wanted: string; came: string } {
  const value = v.example == null ? undefined : unturned(v.example);
  const planned = v.property == null ? undefined : plannedIn(plan, v.event, v.property);
  switch (v.reason) {
    case "unplanned_event":
      return { wanted: "a planned event type", came: "one that is not planned" };
    case "unplanned_property":
      return { wanted: "planned properties", came: `one that is not planned, ${v.got}` };
    case "missing":
      return { wanted: planned ? kindText(planned) : "a value", came: "nothing" };
    case "wrong_type": {
      const got = v.wanted === "date_time" && v.got === "string" ? "string that is none" : v.got;
      return { wanted: v.wanted, came: value ? `${got}: ${value}` : got };
    }
    case "wrong_item":
      return {
        wanted: `list of ${v.wanted}`,
        came: value ? `a list with ${v.got}: ${value}` : `a list with ${v.got}`,
      };
    case "not_among":
      return { wanted: planned ? kindText(planned) : "one of the planned values", came: value ?? "another value" };
  }
}

/** What was done with the events of a violation: `12 stored and marked, 3 rejected`. */
export function fates(
  v: Pick<Violation, "accepted" | "quarantined" | "rejected">,
  count: (n: number) => string,
): string {
  return [
    v.accepted > 0 && `${count(v.accepted)} stored and marked`,
    v.quarantined > 0 && `${count(v.quarantined)} went into quarantine`,
    v.rejected > 0 && `${count(v.rejected)} rejected`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** How often events of a type did not follow the plan, as a sentence; empty where they did. One event may do so in several ways,
 * so of several ways only the times are known. */
export function astray(
  since: Pick<Violation, "reason" | "property" | "message" | "count">[],
  count: (n: number) => string,
): string {
  const times = since.reduce((sum, v) => sum + v.count, 0);
  // Each sender has a count of its own.
  const ways = new Set(since.map((v) => JSON.stringify([v.reason, v.property, v.message]))).size;
  if (ways === 0) return "";
  return ways === 1
    ? `Since the server started, ${count(times)} ${times === 1 ? "event" : "events"} of this type did not follow the plan.`
    : `Since the server started, events of this type did not follow the plan ${count(times)} times, in ${count(ways)} ways.`;
}

/** The words of the marks that stored events carry. */
export const VERDICTS: Record<string, string> = {
  unplanned_event: "not planned",
  unplanned_property: "unplanned property",
  invalid: "invalid",
};

/** Whether the plan says that a property, by the name that reports give it, tells who somebody is. Where the event type plans
 * it, that decides; elsewhere the names of the rules do, with what is inside of them. */
export function personalIn(plan: TrackingPlan | undefined, event: string, property: string): boolean {
  const named = (name: string) =>
    plan?.rules.personal?.some((one) => name === one || name.startsWith(`${one}.`)) === true;
  const planned = plannedIn(plan, event, property);
  if (planned) return planned.personal === true;
  if (property.startsWith("group.")) return false;
  return named(property.startsWith("user.") ? property.slice("user.".length) : property);
}

/** What values a property was seen with: `string, such as EUR or USD`. */
export function seenText(p: SeenProperty): string {
  const kinds = or(kindsOf(p));
  const values = p.examples.slice(0, 3).map((e) => nameText(e.value));
  return values.length === 0 ? kinds : `${kinds}, such as ${values.join(", ")}`;
}

/** A share of some events in whole percent; what is not all is never 100%, and what is there never 0%. */
export function shareText(n: number, of: number): string {
  if (of === 0) return "0";
  const percent = (100 * n) / of;
  return percent > 0 && percent < 1 ? "< 1%" : n < of && percent > 99 ? "> 99%" : `${Math.round(percent)}%`;
}

import { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";

import type { EventType, Lint, SeenProperty, TrackingPlan, Violation } from "../api/types";
import {
  astray,
  better,
  changedEvents,
  fates,
  fromSeen,
  kindText,
  lintOf,
  markOf,
  neat,
  personalIn,
  plannedIn,
  rebased,
  same,
  samePlan,
  seenText,
  shareText,
  valuesOf,
  wantedAndCame,
  whole,
  withChanges,
  withEvent,
  withProperty,
} from "./plan";

const plan = (events: TrackingPlan["events"], rules: TrackingPlan["rules"] = { naming: {} }): TrackingPlan => ({
  rules,
  events,
});
/** A property whose values were lists or objects. */
const nested = (property: string, ...values: string[]): SeenProperty => ({
  ...seen(property, "other"),
  examples: values.map((value) => ({ value, count: 1 })),
});
const seen = (property: string, ...kinds: SeenProperty["kinds"]): SeenProperty => ({
  property,
  kinds,
  count: 1,
  distinct: 1,
  examples: [],
});

test("an event type is written as the server writes it", () => {
  expect(
    neat({
      description: "paid",
      owner: "",
      retention_days: null,
      properties: {
        total: { type: "number", required: true, personal: false, description: "", values: [], items: null },
      },
    }),
  ).toEqual({ description: "paid", properties: { total: { type: "number", required: true } } });
  expect(neat({ properties: {} })).toEqual({});
  expect(neat({ retention_days: 30 })).toEqual({ retention_days: 30 });
  // What only lists have does not stay with another kind.
  expect(neat({ properties: { a: { type: "boolean", items: "string", values: ["x"] } } })).toEqual({
    properties: { a: { type: "boolean" } },
  });
});

test.each<[string, EventType["properties"] & object, string]>([
  ["text", { p: { type: "string" } }, "string"],
  ["values", { p: { type: "string", values: ["EUR", "USD"] } }, "string: EUR or USD"],
  [
    "values that turn a line or are not seen",
    { p: { type: "string", values: ["a\u202eb", " "] } },
    "string: a\\u202eb or “ ”",
  ],
  ["a list", { p: { type: "list", items: "integer" } }, "list of integer"],
  ["many", { p: { type: "integer", values: [1, 2, 3, 4, 5, 6, 7] } }, "integer: 1, 2, 3, 4, 5 or 2 more"],
])("what a property holds: %s", (_, properties, text) => expect(kindText(properties["p"]!)).toBe(text));

test("values of a number are numbers, and what is none stays for the server to refuse", () => {
  expect(valuesOf(["1", "2.5", "x", ""], { type: "number" })).toEqual([1, 2.5, "x", ""]);
  expect(valuesOf(["1"], { type: "string" })).toEqual(["1"]);
  expect(valuesOf(["1"], { type: "list", items: "integer" })).toEqual([1]);
});

test("a draft says what became of each event type, whatever the order of what is in it", () => {
  const from = plan({ a: { owner: "x", description: "d" }, b: {}, c: {} });
  const draft = plan({ a: { description: "d", owner: "x" }, b: { owner: "y" }, d: {} });
  expect(["a", "b", "c", "d", "e"].map((n) => markOf(from, draft, n))).toEqual([
    null,
    "changed",
    "removed",
    "new",
    null,
  ]);
  expect(changedEvents(from, draft)).toEqual(["b", "c", "d"]);
  expect(samePlan(from, from)).toBe(true);
  expect(same({ type: "string", personal: true }, { personal: true, type: "string" })).toBe(true);
  expect(same({ type: "string" }, { type: "number" })).toBe(false);
  expect(samePlan(from, draft)).toBe(false);
  expect(samePlan(plan({}), plan({}, { naming: { events: "title_case" } }))).toBe(false);
});

test("an event type and a property move with their names", () => {
  const from = plan({ a: { properties: { x: { type: "string" } } } });
  expect(withEvent(from, "b", from.events["a"]!, "a").events).toEqual({ b: { properties: { x: { type: "string" } } } });
  expect(withEvent(from, "a", null).events).toEqual({});
  expect(withProperty(from.events["a"]!, "y", { type: "number" }, "x")).toEqual({
    properties: { y: { type: "number" } },
  });
  expect(withProperty(from.events["a"]!, "x", null)).toEqual({});
});

test("changes of a proposal are made to a plan", () => {
  const now = plan({ a: {}, b: {} });
  expect(withChanges(now, { save: { c: { owner: "x" } }, remove: ["a"] })).toEqual(plan({ b: {}, c: { owner: "x" } }));
  expect(withChanges(now, { rules: { naming: {}, review: true } }).rules.review).toBe(true);
});

test("a draft is brought up to date: what others did stays, and what both did is named", () => {
  const from = plan({ a: {}, b: {}, c: {} });
  const draft = plan({ a: { owner: "me" }, b: {}, d: {} });
  const now = plan({ a: {}, b: { owner: "them" }, c: { owner: "them" } }, { naming: {}, review: true });
  // `c` was removed here and changed there.
  expect(rebased(from, draft, now)).toEqual({
    plan: plan({ a: { owner: "me" }, b: { owner: "them" }, d: {} }, { naming: {}, review: true }),
    clashes: ["c"],
  });
  expect(rebased(from, draft, from)).toEqual({ plan: draft, clashes: [] });
  // The same done by both is no clash.
  expect(rebased(from, draft, plan({ a: { owner: "me" }, b: {}, c: {} })).clashes).toEqual([]);
});

test.each(["constructor", "toString", "__proto__"])(
  "an event type or a property called %s is one like others",
  (name) => {
    const [none, one] = [
      plan({ a: { properties: {} } }),
      plan({ [name]: { properties: { [name]: { type: "number" } } } }),
    ];
    expect([markOf(none, none, name), markOf(none, one, name), markOf(one, none, name)]).toEqual([
      null,
      "new",
      "removed",
    ]);
    expect([plannedIn(none, name, name), plannedIn(none, "a", name)]).toEqual([undefined, undefined]);
    expect(plannedIn(one, name, name)).toEqual({ type: "number" });
    const moved = rebased(none, withEvent(none, name, one.events[name]!), none).plan;
    expect(Object.keys(moved.events).sort()).toEqual([name, "a"].sort());
    const [wrong, known] = [{ event: name, property: name, reason: "missing" } as Violation, plan({ [name]: {} })];
    expect([wantedAndCame(wrong, none).wanted, wantedAndCame(wrong, known).wanted]).toEqual(["a value", "a value"]);
    expect(personalIn(plan({}, { naming: {}, personal: [name] }), name, name)).toBe(true);
  },
);

test("what is read again has all of its event types, whatever they are called", async () => {
  const client = new QueryClient();
  const read = async (text: string) => {
    await client.fetchQuery({ queryKey: [1], structuralSharing: whole, queryFn: () => JSON.parse(text) as object });
    return client.getQueryData<object>([1])!;
  };
  await read('{"a": {}}');
  const found = await read('{"a": {}, "__proto__": {}}');
  expect(Object.keys(found)).toEqual(["a", "__proto__"]);
  expect(await read('{"__proto__": {}, "a": {}}')).toBe(found);
});

test("an event type begins from what arrives", () => {
  expect(
    fromSeen([
      seen("total", "number"),
      seen("currency", "text"),
      seen("gift", "boolean"),
      seen("odd", "text", "number"),
      nested("address", '{"city":"Bern"}', "{}"),
      nested("items", "[1,2]"),
      nested("mixed", '{"a":1}', "[1]"),
      // None of its values is short enough to be shown.
      seen("basket", "other"),
      seen("user.plan", "text"),
      seen("$verdict", "text"),
    ]),
  ).toEqual({
    properties: {
      total: { type: "number" },
      currency: { type: "string" },
      gift: { type: "boolean" },
      odd: { type: "any" },
      address: { type: "object" },
      items: { type: "list" },
      mixed: { type: "any" },
      basket: { type: "any" },
    },
  });
});

test("a lint is found at its name, with the name that is suggested", () => {
  const lints: Lint[] = [
    { message: "event type `order_completed` is not in Title Case", hint: "write `Order Completed`" },
    { message: "property `Total` of `order_completed` is not in snake_case", hint: "write `total`" },
  ];
  expect(better(lintOf(lints, "order_completed"))).toBe("Order Completed");
  expect(better(lintOf(lints, "order_completed", "Total"))).toBe("total");
  expect(lintOf(lints, "order")).toBeUndefined();
  expect(better({ message: "", hint: "keep one of them" })).toBeUndefined();
});

test("what was wanted and what came", () => {
  const known = plan({
    Order: { properties: { currency: { type: "string", values: ["EUR"] }, total: { type: "number" } } },
  });
  const of = (part: object) =>
    wantedAndCame(
      { event: "Order", message: "", count: 1, first: 0, last: 0, source: "", ...part } as Violation,
      known,
    );
  expect(of({ reason: "wrong_type", property: "total", wanted: "number", got: "string", example: '"9"' })).toEqual({
    wanted: "number",
    came: 'string: "9"',
  });
  expect(of({ reason: "wrong_type", property: "when", wanted: "date_time", got: "string", example: '"soon"' })).toEqual(
    {
      wanted: "date_time",
      came: 'string that is none: "soon"',
    },
  );
  for (const reason of ["wrong_type", "wrong_item", "not_among"])
    expect(of({ reason, property: "total", wanted: "number", got: "string", example: '"a\u202eb"' }).came).toMatch(
      /"a\\u202eb"$/,
    );
  expect(of({ reason: "not_among", property: "currency", example: '"CHF"' })).toEqual({
    wanted: "string: EUR",
    came: '"CHF"',
  });
  expect(of({ reason: "missing", property: "total" })).toEqual({ wanted: "number", came: "nothing" });
  expect(of({ reason: "unplanned_property", property: "x", got: "boolean" }).came).toBe(
    "one that is not planned, boolean",
  );
});

test("what was done with events that do not follow it", () => {
  expect(fates({ accepted: 2, quarantined: 0, rejected: 1 }, String)).toBe("2 stored and marked, 1 rejected");
  // A count since the start: those that were released or deleted are in it.
  expect(fates({ accepted: 0, quarantined: 11, rejected: 0 }, String)).toBe("11 went into quarantine");
});

test.each<[Parameters<typeof astray>[0], string]>([
  [[], ""],
  [
    [{ reason: "unplanned_event", message: "m", count: 1 }],
    "Since the server started, 1 event of this type did not follow the plan.",
  ],
  [
    // The same of two senders.
    [
      { reason: "missing", property: "total", message: "m", count: 3 },
      { reason: "missing", property: "total", message: "m", count: 4 },
    ],
    "Since the server started, 7 events of this type did not follow the plan.",
  ],
  [
    [
      { reason: "missing", property: "total", message: "m", count: 30 },
      { reason: "missing", property: "currency", message: "n", count: 10 },
    ],
    "Since the server started, events of this type did not follow the plan 40 times, in 2 ways.",
  ],
])("how often a type did not follow the plan: %#", (list, said) => expect(astray(list, String)).toBe(said));

test.each([
  ["email", false],
  ["contact", true],
  ["user.email", true],
  ["user.email.work", true],
  ["user.emails", false],
  ["user.plan", false],
  ["user.contact", false],
  ["$ip", true],
  ["group.email", false],
  ["phone", true],
  ["phone.work", true],
  ["phones", false],
])("whether %s is personal: %s", (property, said) => {
  const known = plan(
    { Order: { properties: { contact: { type: "string", personal: true }, email: { type: "string" } } } },
    { naming: {}, personal: ["email", "phone", "$ip"] },
  );
  expect(personalIn(known, "Order", property)).toBe(said);
  expect(personalIn(undefined, "Order", property)).toBe(false);
});

test("what values a property was seen with, and in how many events", () => {
  const p = { ...seen("currency", "text"), examples: [{ value: "EUR", count: 2 }] };
  expect(seenText(p)).toBe("string, such as EUR");
  expect(seenText({ ...p, examples: ["", "\u200b", "a\u202eb"].map((value) => ({ value, count: 1 })) })).toBe(
    "string, such as “”, “\u200b”, a\\u202eb",
  );
  expect(seenText(seen("x", "boolean", "other"))).toBe("boolean, list or object");
  expect(seenText(nested("x", '{"a":1}'))).toBe('object, such as {"a":1}');
  expect([shareText(1, 1000), shareText(999, 1000), shareText(10, 10), shareText(0, 10), shareText(1, 3)]).toEqual([
    "< 1%",
    "> 99%",
    "100%",
    "0%",
    "33%",
  ]);
});

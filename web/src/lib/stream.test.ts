import { expect, test } from "vitest";

import type { RecentEvent } from "../api/types";
import { firstProperties, looked, propertiesText, verdictOf, type Look } from "./stream";

const event = (properties: Record<string, unknown>): RecentEvent => ({
  event: "Order Completed",
  who: { both: { user: "ana-1", device: "laptop" } },
  time: 0,
  received: 0,
  properties,
});

test.each<[Look, boolean]>([
  [{}, true],
  [{ of: "Order Completed" }, true],
  [{ of: "Order" }, false],
  [{ q: "ANA eur" }, true],
  [{ q: "ana chf" }, false],
  [{ q: "  laptop " }, true],
  [{ marked: true }, false],
])("%j lets an event through: %s", (look, wanted) => {
  expect(looked(event({ total: 9.5, currency: "EUR" }), look)).toBe(wanted);
});

test("a mark is told from the properties", () => {
  const marked = event({ total: "9", $verdict: "invalid" });
  expect(looked(marked, { marked: true })).toBe(true);
  expect(verdictOf(marked)).toBe("invalid");
  expect(propertiesText(marked)).toBe('total="9"');
  expect(verdictOf(event({ $verdict: 3 }))).toBeUndefined();
  expect(propertiesText({ ...marked, properties: undefined })).toBe("");
});

test("as many properties are shown as there is room for", () => {
  const some = event({ a: "x\u202ey", $verdict: "invalid", bcd: [1, 2], e: 5 });
  expect(firstProperties(some, 300)).toEqual([
    ["a", '"x\\u202ey"'],
    ["bcd", "[1,2]"],
    ["e", "5"],
  ]);
  expect(firstProperties(some, 18)).toEqual([
    ["a", '"x\\u202ey"'],
    ["bcd", "[…"],
  ]);
  expect(firstProperties(event({ a: "x".repeat(500) }), 10)).toEqual([["a", `"${"x".repeat(7)}…`]]);
  expect(firstProperties(event({ ["n".repeat(500)]: 1 }), 10)).toEqual([["n".repeat(10), "…"]]);
  expect(firstProperties(event({ " ": "blank name", "n\u202ee": 1 }), 300)).toEqual([
    ["“ ”", '"blank name"'],
    ["n\\u202ee", "1"],
  ]);
  expect(firstProperties(event({}), 300)).toEqual([]);
});

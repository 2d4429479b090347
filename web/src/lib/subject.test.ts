import { describe, expect, it } from "vitest";

import { addressOf, around } from "./subject";

describe("what a change is about", () => {
  it("has a page, if it is more than a plan for later", () => {
    expect(addressOf({ subject: "flag", key: "new-search" })).toBe("/flags/new-search");
    expect(addressOf({ subject: "holdout", key: "global" })).toBe("/holdouts/global");
    expect(addressOf({ subject: "event_type", key: "Order Placed" })).toBe("/plan?event=Order%20Placed");
    expect(addressOf({ subject: "proposal", key: "p1" })).toBe("/plan/proposals/p1");
    expect(addressOf({ subject: "schedule", key: "s1" })).toBeUndefined();
  });

  it("is named by its sentence, as a word of its own", () => {
    expect(around("turned search on in production", "search")).toEqual(["turned ", "search", " on in production"]);
    expect(around("put new-search before search", "search")).toEqual(["put new-search before ", "search", ""]);
    expect(around("changed \u202ea, b", "\u202ea")).toEqual(["changed ", "\\u202ea", ", b"]);
    expect(around("saved x\u202e in b", "b")).toEqual(["saved x\\u202e in ", "b", ""]);
    expect(around("changed who gets what", "f")).toEqual(["changed who gets what ", "f", ""]);
  });
});

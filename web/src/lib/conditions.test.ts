//! Web: conditions in words, doubts about values, and where a refusal belongs.
import { describe, expect, it } from "vitest";

import type { Clause, Condition, Op } from "../api/types";
import { atItsPlace, conditionText, doubtful, groupsText, OP_GROUPS, placeOf, takes } from "./conditions";

const clause = (op: Op, ...values: string[]): Clause => ({ attribute: "plan", op, values });

describe("conditions", () => {
  it.each<[Condition, string]>([
    [clause("is", "pro", "team"), "plan is pro or team"],
    [clause("set_contains", "a", "b"), "plan has all of a and b"],
    [clause("set_contains_any", "a", "b"), "plan has any of a or b"],
    [clause("version_caret", "1.2"), "plan is version ^ 1.2"],
    [{ segment: "beta" }, "in segment beta"],
    [{ segment: "staff", not: true }, "not in segment staff"],
  ])("%o is read", (given, text) => expect(conditionText(given)).toBe(text));

  it("are joined by what joins them", () => {
    expect(groupsText([[clause("is", "pro"), { segment: "beta" }], [{ segment: "staff" }]])).toBe(
      "plan is pro and in segment beta, or in segment staff",
    );
  });

  it("offer every operator once", () => {
    const offered = OP_GROUPS.flatMap((g) => g.items.map((i) => i.value));
    expect(new Set(offered).size).toBe(offered.length);
    expect(offered).toHaveLength(32);
    expect(offered.filter((op) => takes(op) === "version")).toHaveLength(8);
  });
});

describe("a doubt", () => {
  it.each<[Op, string[], boolean]>([
    ["less", ["12", "-3.5", "1e3", ".5"], false],
    ["less", ["12", "twelve"], true],
    ["version_is", ["3.2", "3.2.0", "3.2.0-rc.1"], false],
    ["version_is", ["3"], true],
    ["before", ["2026-11-03", "2026-11-03T09:00:00Z", "1771545600000", "2026-11-03 09:00+01"], false],
    ["before", ["3 November"], true],
    ["in_network", ["10.0.0.0/8", "2001:db8::/32", "10.0.0.1", "::1"], false],
    ["in_network", ["office"], true],
    ["matches", ["("], false],
    ["is", ["anything"], false],
  ])("%s %j", (op, values, doubted) => expect(doubtful({ op, values }) !== null).toBe(doubted));
});

describe("the place of a refusal", () => {
  it.each([
    [
      "in environment `production`: in rule 2, on `plan`: `(` is not a pattern: unclosed group, at character 1",
      { part: "rule", rule: 2, attribute: "plan" },
    ],
    ["in rule 1 (`beta on 3`), on `a.b`: `x` is not a version", { part: "rule", rule: 1, attribute: "a.b" }],
    ["rule 3 tests `plan` against nothing", { part: "rule", rule: 3, attribute: "plan" }],
    ["rule 3 has an empty condition", { part: "rule", rule: 3, attribute: undefined }],
    ["in environment `production`: flag `a` needs `b`, which needs `a`", { part: "prerequisites" }],
    ["the prerequisite `a` of flag `b` names no variant", { part: "prerequisites" }],
    ["a split must add up to 100%", { part: "whole" }],
    [
      "in `rules[1].when[0][1].values`: `cheap` is not a number, and `less` compares numbers",
      { part: "rule", rule: 2, attribute: "price" },
    ],
    ["in `audience[0][0].values`: `cheap` is not a number, and `less` compares numbers", { part: "whole" }],
    [
      "in `when[0][1].values`: `cheap` is not a number, and `less` compares numbers",
      { part: "whole", attribute: "price" },
    ],
  ])("%s", (message, place) => {
    const groups: Condition[][] = [[{ segment: "staff" }, { attribute: "price", op: "less", values: ["cheap"] }]];
    expect(placeOf(message, () => groups)).toEqual(place);
    // A form that has changed since is no reason to break.
    expect(placeOf(message, () => undefined).part).toBe(place.part);
  });
});

it("stands at its place without saying where that is", () => {
  expect(
    atItsPlace("in environment `production`: in rule 2 (`on a`), on `plan`: `(` is not a pattern: unclosed group"),
  ).toBe("( is not a pattern: unclosed group");
  expect(atItsPlace("segment `x`, group 1, on `plan`: `a` is not a version")).toBe("a is not a version");
  expect(atItsPlace("in `rules[0].when[0][0].values`: `cheap` is not a number, and `less` compares numbers")).toBe(
    "cheap is not a number, and less compares numbers",
  );
  expect(atItsPlace("rule 3 tests `plan` against nothing")).toBe("rule 3 tests plan against nothing");
});

//! Web: who gets what, in words that are right for every form of serving.
import { describe, expect, it } from "vitest";

import type { Serve, Setting } from "../api/types";
import { divides, draftText, linesOf, moved, servedText, widening, wrong, type Draft } from "./serve";

const variant = (v: string): Serve => ({ serve: "variant", variant: v });
const split = (rest?: string): Serve => ({
  serve: "split",
  split: {
    salt: "s",
    rest,
    ranges: [
      { variant: "new", from: 0, to: 2000 },
      { variant: "old", from: 2000, to: 10_000 },
    ],
  },
});
const rollout = (state: unknown, guard: unknown = null) =>
  ({
    serve: "rollout",
    rollout: { candidate: "new", control: "old", state, guard, split: (split() as { split: unknown }).split },
  }) as unknown as Serve;
const setting = (of: Serve, more: Partial<Setting> = {}): Setting => ({ on: true, off: "old", default: of, ...more });

describe("who gets what", () => {
  it.each<[string, Setting, string]>([
    ["off", setting(variant("new"), { on: false }), "everybody gets “old”"],
    ["one variant", setting(variant("new")), "everybody gets “new”"],
    ["a split", setting(split()), "everybody is split: 20% “new”, 80% “old”"],
    ["a split of some", setting(split("old")), "everybody is split: 20% “new”, 80% “old” outside the split"],
    [
      "a rollout",
      setting(rollout({ state: "widening" }, {})),
      "everybody is in the rollout of “new”: 20% so far, with a guard",
    ],
    [
      "a halted rollout",
      setting(rollout({ state: "halted", at: 0, because: "" })),
      "everybody gets “old”: the rollout of “new” is halted",
    ],
    ["a rollout that is done", setting(rollout({ state: "done", at: 0 })), "everybody gets “new”: it is rolled out"],
    [
      "ids and rules",
      setting(variant("old"), {
        targets: [{ variant: "new", list: "l" }] as unknown as Setting["targets"],
        rules: [{ when: [], serve: variant("new") }],
      }),
      "1 list of single ids and 1 rule first, then everybody else gets “old”",
    ],
  ])("%s", (_, given, text) => expect(servedText(given)).toBe(text));

  it("says what would be", () => {
    expect(servedText(setting(variant("new"), { on: false }), true)).toBe("everybody gets “new”");
    expect(servedText(setting(variant("new")), false)).toBe("everybody gets “old”");
  });
});

describe("who is recorded", () => {
  const rules = [{ when: [], serve: variant("new") }];
  it.each<[string, Setting, string]>([
    ["one variant", setting(variant("new")), "none"],
    ["rules of one variant", setting(variant("new"), { rules }), "none"],
    ["a halted rollout", setting(rollout({ state: "halted", at: 0, because: "" })), "none"],
    ["a split", setting(split()), "all"],
    ["a rollout", setting(rollout({ state: "widening" })), "all"],
    ["a split of some", setting(split("old")), "some"],
    ["a split behind a rule of one variant", setting(split(), { rules }), "some"],
    ["a split behind a rule", setting(variant("old"), { rules: [{ when: [], serve: split() }] }), "some"],
  ])("%s", (_, given, counted) => expect(divides(given)).toBe(counted));

  it("knows the rollout that widens", () => {
    expect(widening(setting(rollout({ state: "widening" })))).toEqual({ candidate: "new", share: 2000 });
    expect(widening(setting(rollout({ state: "done", at: 0 })))).toBeNull();
  });
});

describe("a draft", () => {
  const shares = (of: number) => ({
    serve: "split" as const,
    shares: [
      { variant: "new", share: of },
      { variant: "old", share: 5000 },
    ],
    rest: null,
  });
  const rule = (attribute: string, values: string[], of = 5000) => ({
    name: "",
    when: [[{ attribute, op: "is" as const, values }]],
    serve: shares(of),
  });
  const draft = (more: Partial<Draft> = {}): Draft => ({
    off: "old",
    prerequisites: [],
    targets: [],
    rules: [],
    default: shares(5000),
    ...more,
  });
  it.each<[Draft, string | null]>([
    [draft(), null],
    [draft({ default: shares(4000) }), "the shares of everybody else add up to 90%, not 100%"],
    [draft({ rules: [rule("plan", ["pro"])] }), null],
    [draft({ rules: [rule("plan", ["pro"], 6000)] }), "the shares of rule 1 add up to 110%, not 100%"],
    [draft({ rules: [rule("plan", ["pro"]), rule("", [])] }), "rule 2 has a condition without an attribute"],
    [draft({ rules: [rule("plan", [])] }), "rule 1 has no value for plan"],
    [draft({ rules: [{ ...rule("plan", ["pro"]), when: [] }] }), "rule 1 has no condition"],
    [
      draft({ rules: [{ ...rule("plan", ["pro"]), when: [[{ segment: "" }]] }] }),
      "rule 1 asks for a segment without naming it",
    ],
    [draft({ rules: [{ ...rule("plan", ["pro"]), when: [[{ segment: "beta", not: true }]] }] }), null],
    [draft({ prerequisites: [{ flag: "checkout", variants: [] }] }), "no variant of checkout is named"],
    [draft({ prerequisites: [{ flag: "", variants: [] }] }), "a prerequisite names no flag"],
  ])("is refused for its first fault", (given, fault) => expect(wrong(given)).toBe(fault));

  it("is said like a setting, with its lines", () => {
    const given = draft({
      prerequisites: [{ flag: "checkout", variants: ["on", "beta"] }],
      targets: [{ variant: "new", ids: ["u-1"] }],
      rules: [rule("plan", ["pro"])],
    });
    expect(draftText(given, setting(variant("old")))).toBe(
      "1 list of single ids and 1 rule first, then everybody else is split: 50% “new”, 50% “old”",
    );
    expect(linesOf(given)).toEqual([
      "only if checkout serves on or beta",
      "single ids of “new”: u-1",
      "rule 1: if plan is pro, new 50%, old 50%",
      "while off: “old”",
    ]);
    expect(draftText(draft({ default: { serve: "rollout" } }), setting(rollout({ state: "widening" })))).toBe(
      "everybody is in the rollout of “new”: 20% so far",
    );
  });
});

describe("a rule that is moved", () => {
  it.each<[number, number, string]>([
    [0, 2, "bca"],
    [2, 0, "cab"],
    [1, 1, "abc"],
    [0, 1, "bac"],
    [7, 0, "abc"],
  ])("from %i to %i", (from, to, order) => expect(moved(["a", "b", "c"], from, to).join("")).toBe(order));
});

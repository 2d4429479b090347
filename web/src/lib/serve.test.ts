//! Web: who gets what, in words that are right for every form of serving.
import { describe, expect, it } from "vitest";

import type { FlagView, Serve, Setting } from "../api/types";
import type { Around } from "./around";
import {
  draftText,
  linesOf,
  moved,
  needers,
  servedText,
  splits,
  uncounted,
  widening,
  wrong,
  type Draft,
} from "./serve";

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
/** A rollout that compares two parts of the same width, and leaves the others as they are. */
const paired = () =>
  ({
    serve: "rollout",
    rollout: {
      candidate: "new",
      control: "old",
      state: { state: "widening" },
      guard: null,
      split: {
        salt: "s",
        rest: "rest",
        ranges: [
          { variant: "new", from: 0, to: 2000 },
          { variant: "old", from: 2000, to: 4000 },
          { variant: "rest", from: 4000, to: 10_000 },
        ],
      },
    },
  }) as unknown as Serve;
const setting = (of: Serve, more: Partial<Setting> = {}): Setting => ({ on: true, off: "old", default: of, ...more });

const ALONE: Around = { unit: "user", betas: [], holdouts: [], closed: false, unread: [] };
const targets = [{ variant: "new", list: "l" }] as unknown as Setting["targets"];
const rules = [{ when: [], serve: variant("new") }];
const prerequisites = [{ flag: "checkout", variants: ["on", "beta"] }];
const held = { name: "spring", share: 500 };

describe("who gets what", () => {
  it.each<[string, Setting, Partial<Around>, string]>([
    ["off", setting(variant("new"), { on: false }), {}, "everybody gets “old”"],
    [
      "off, whatever is around",
      setting(split(), { on: false, prerequisites, targets, rules }),
      { holdouts: [held], layer: { name: "home", share: 4000 }, betas: ["x"], closed: true },
      "everybody gets “old”",
    ],
    ["one variant", setting(variant("new")), {}, "everybody gets “new”"],
    ["a split", setting(split()), {}, "everybody is split: 20% “new”, 80% “old”"],
    ["a split of some", setting(split("old")), {}, "everybody is split: 20% “new”, 80% “old” outside the split"],
    [
      "a rollout",
      setting(rollout({ state: "widening" }, {})),
      {},
      "20% of everybody get “new” so far, the others “old”: a rollout with a guard",
    ],
    [
      "a rollout beside others",
      setting(paired()),
      {},
      "20% of everybody get “new” so far, 20% “old”, 60% “rest” outside the rollout: a rollout",
    ],
    [
      "a halted rollout",
      setting(rollout({ state: "halted", at: 0, because: "" })),
      {},
      "everybody gets “old”: the rollout of “new” is halted",
    ],
    [
      "a rollout that is done",
      setting(rollout({ state: "done", at: 0 })),
      {},
      "everybody gets “new”: it is rolled out",
    ],
    [
      "ids and rules",
      setting(variant("old"), { targets, rules }),
      {},
      "1 list of single ids and 1 rule first, then everybody else gets “old”",
    ],
    [
      "ids, a beta and rules before a rollout",
      setting(rollout({ state: "widening" }), { targets, rules: [...rules, ...rules] }),
      { betas: ["Spring"] },
      "1 list of single ids, beta Spring and 2 rules first, then 20% of everybody else get “new” so far, the others “old”: a rollout",
    ],
    [
      "a prerequisite",
      setting(variant("new"), { prerequisites }),
      {},
      "checkout must serve “on” or “beta”: whoever is left gets “new”; whoever is kept out gets “old”",
    ],
    [
      "a layer",
      setting(variant("new")),
      { layer: { name: "home", share: 4000 } },
      "layer home lets 40% in: whoever is left gets “new”; whoever is kept out gets “old”",
    ],
    [
      "a layer that is not known",
      setting(variant("new")),
      { layer: { name: "home", share: null } },
      "layer home lets its part in: whoever is left gets “new”; whoever is kept out gets “old”",
    ],
    [
      "a layer without a part",
      setting(split(), { rules }),
      { layer: { name: "home", share: 0 }, betas: ["x"] },
      "layer home lets nobody in: everybody gets “old”",
    ],
    [
      "a layer without a part, and ids before it",
      setting(variant("new"), { targets, prerequisites }),
      { layer: { name: "home", share: 0 } },
      "checkout must serve “on” or “beta”: 1 list of single ids first, then layer home lets nobody in: everybody else gets “old”",
    ],
    [
      "a holdout of everybody",
      setting(variant("new")),
      { holdouts: [{ name: "all", share: 10_000 }], layer: { name: "home", share: 4000 } },
      "holdout all keeps everybody out and layer home lets 40% in: everybody gets “old”",
    ],
    [
      "everything at once",
      setting(split(), { targets, rules, prerequisites }),
      { holdouts: [held], layer: { name: "home", share: 4000 }, betas: ["Spring"] },
      "checkout must serve “on” or “beta”: 1 list of single ids first, then holdout spring keeps 5% out and layer home lets 40% in: beta Spring and 1 rule first, then whoever is left is split: 20% “new”, 80% “old”; whoever is kept out gets “old”",
    ],
    ["what is kept out gets the same", setting(variant("old")), { holdouts: [held] }, "everybody gets “old”"],
    [
      "what is kept out gets the same as the default",
      setting(variant("old"), { prerequisites, rules }),
      {},
      "checkout must serve “on” or “beta”: 1 rule first, then everybody else gets “old”",
    ],
    [
      "a count that is not full",
      setting(split(), { enrolment: { units: 10_000 } }),
      {},
      "everybody is split: 20% “new”, 80% “old”, until 10\u202f000 users are enrolled",
    ],
    [
      "a count of one",
      setting(rollout({ state: "widening" }), { enrolment: { units: 1 } }),
      {},
      "20% of everybody get “new” so far, the others “old”: a rollout, until 1 user is enrolled",
    ],
    [
      "a closed split",
      setting(split(), { off: "none", enrolment: { units: 1 } }),
      { closed: true },
      "whoever is enrolled keeps their variant and everybody else gets “none”: enrolment is closed",
    ],
    [
      "a closed split with a rest",
      setting(split("old"), { off: "none", rules }),
      { closed: true },
      "1 rule first, then whoever is enrolled keeps their variant and everybody else gets “old”: enrolment is closed",
    ],
    [
      "a closed rollout",
      setting(rollout({ state: "widening" }), { off: "none" }),
      { closed: true },
      "whoever is enrolled keeps their variant and everybody else gets “old”: enrolment is closed",
    ],
    [
      "another unit",
      setting(split()),
      { unit: "account" },
      "everybody is split by account: 20% “new”, 80% “old”; whoever has no account id gets “old”",
    ],
    [
      "what could not be read",
      setting(variant("new")),
      { unread: ["betas", "holdouts"] },
      "everybody gets “new”; which betas and holdouts change this could not be read",
    ],
  ])("%s", (_, given, around, text) => expect(servedText(given, { ...ALONE, ...around })).toBe(text));

  it("says what would be", () => {
    expect(servedText(setting(variant("new"), { on: false }), ALONE, true)).toBe("everybody gets “new”");
    expect(servedText(setting(variant("new")), ALONE, false)).toBe("everybody gets “old”");
  });

  // Against a list of all that somebody may get, made without the sentence.
  it("claims everybody only of what everybody gets", () => {
    const either = [false, true];
    const defaults: [Serve, string[]][] = [
      [variant("new"), ["new"]],
      [variant("old"), ["old"]],
      [split(), ["new", "old"]],
      [split("old"), ["new", "old"]],
      [rollout({ state: "widening" }), ["new", "old"]],
      [rollout({ state: "halted", at: 0, because: "" }), ["old"]],
      [rollout({ state: "done", at: 0 }), ["new"]],
    ];
    let claims = 0;
    for (const [serve, gives] of defaults)
      for (const on of either)
        for (const needs of either)
          for (const ids of either)
            for (const holdout of either)
              for (const part of [undefined, 0, 4000])
                for (const beta of either)
                  for (const rule of either)
                    for (const closed of either) {
                      const given = setting(serve, {
                        on,
                        ...(needs && { prerequisites }),
                        ...(ids && { targets }),
                        ...(rule && { rules }),
                      });
                      const around: Around = {
                        ...ALONE,
                        closed,
                        betas: beta ? ["x"] : [],
                        holdouts: holdout ? [held] : [],
                        ...(part !== undefined && { layer: { name: "home", share: part } }),
                      };
                      const gets = new Set<string>();
                      if (!on || needs || holdout || part !== undefined) gets.add("old");
                      if (on && ids) gets.add("new");
                      if (on && part !== 0) {
                        if (beta) gets.add("beta");
                        if (rule) gets.add("new");
                        gives.forEach((v) => gets.add(v));
                      }
                      const said = servedText(given, around);
                      const claimed = /(?:^|: )everybody gets “(\w+)”/.exec(said)?.[1];
                      if (claimed === undefined) continue;
                      claims += 1;
                      expect([...gets], said).toEqual([claimed]);
                    }
    expect(claims).toBeGreaterThan(100);
  });
});

describe("who is recorded", () => {
  it.each<[string, Setting, Partial<Around>, string[] | null]>([
    ["one variant", setting(variant("new")), {}, null],
    ["rules of one variant", setting(variant("new"), { rules }), {}, null],
    [
      "a rule that divides before a default that does not",
      setting(variant("old"), { rules: [{ when: [], serve: split() }] }),
      {},
      null,
    ],
    ["a halted rollout", setting(rollout({ state: "halted", at: 0, because: "" })), {}, null],
    ["a split", setting(split()), {}, []],
    ["a rollout", setting(rollout({ state: "widening" })), {}, []],
    ["a split of some, who get the off variant", setting(split("old")), {}, []],
    ["a split of some", setting(split("old"), { off: "none" }), {}, ["is outside the split"]],
    ["a rollout beside others", setting(paired()), {}, ["is outside the rollout"]],
    ["a split behind a rule", setting(split(), { rules }), {}, ["matches a rule"]],
    [
      "all of it",
      setting(split(), { rules, targets }),
      { betas: ["x"], closed: true },
      ["is listed by id", "is in the audience of a beta", "matches a rule", "came after enrolment was closed"],
    ],
  ])("%s", (_, given, around, missed) => expect(uncounted(given, { ...ALONE, ...around })).toEqual(missed));

  it.each<[string, Setting, boolean]>([
    ["one variant", setting(variant("new"), { rules }), false],
    ["a split", setting(split()), true],
    ["a rule that divides", setting(variant("old"), { rules: [{ when: [], serve: split() }] }), true],
    ["a rollout that is over", setting(rollout({ state: "done", at: 0 })), false],
  ])("%s divides, or does not", (_, given, divides) => expect(splits(given)).toBe(divides));

  it("knows the rollout that widens", () => {
    expect(widening(setting(rollout({ state: "widening" })))).toMatchObject({
      rollout: { candidate: "new" },
      share: 2000,
    });
    expect(widening(setting(rollout({ state: "done", at: 0 })))).toBeNull();
  });

  it("knows the flags that need it to serve another variant", () => {
    const flag = (key: string, needs: string[], more: object = {}): FlagView =>
      ({
        flag: {
          key,
          settings: {
            production: { ...setting(variant("new")), prerequisites: [{ flag: "checkout", variants: needs }], ...more },
          },
        },
      }) as unknown as FlagView;
    const all = [flag("a", ["on"]), flag("b", ["on", "off"]), flag("c", ["on"], { on: false })];
    expect(needers(all, "checkout", "production", "off")).toEqual(["a"]);
    expect(needers(all, "checkout", "development", "off")).toEqual([]);
    expect(needers(all, "other", "production", "off")).toEqual([]);
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
    expect(draftText(given, setting(variant("old")), ALONE)).toBe(
      "checkout must serve “on” or “beta”: 1 list of single ids and 1 rule first, then whoever is left is split: 50% “new”, 50% “old”; whoever is kept out gets “old”",
    );
    expect(linesOf(given)).toEqual([
      "only if checkout serves on or beta",
      "single ids of “new”: u-1",
      "rule 1: if plan is pro, new 50%, old 50%",
      "while off: “old”",
    ]);
    expect(draftText(draft({ default: { serve: "rollout" } }), setting(rollout({ state: "widening" })), ALONE)).toBe(
      "20% of everybody get “new” so far, the others “old”: a rollout",
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

//! Web: who gets what, in words that are right for every form of serving.
import { describe, expect, it } from "vitest";

import type { Serve, Setting } from "../api/types";
import { servedText } from "./serve";

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

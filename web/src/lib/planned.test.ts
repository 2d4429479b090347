//! Web: what can be planned, and when.
import { expect, it } from "vitest";

import type { Setting } from "../api/types";
import { choices, usual, wrongPlan } from "./planned";

const NOW = Date.UTC(2026, 2, 2, 8, 30, 20); // a Monday
const setting = (part: Setting["default"]): Setting =>
  ({ on: true, off: "off", default: part, enrolment: {} }) as Setting;

it("offers what fits what is there", () => {
  const ranges = [
    { variant: "on", from: 0, to: 2_500 },
    { variant: "off", from: 2_500, to: 10_000 },
  ];
  const rollout = {
    candidate: "on",
    control: "off",
    split: { salt: "s", ranges },
    started: 0,
    epoch: 0,
    epoch_began: 0,
  };
  const of = (part: Setting["default"]) => choices({ flag: "f", setting: setting(part) }).map((c) => c.value);
  expect(of({ serve: "variant", variant: "on" })).toEqual(["toggle"]);
  expect(of({ serve: "split", split: { salt: "s", ranges } })).toEqual(["toggle", "reshare"]);
  expect(of({ serve: "rollout", rollout: { ...rollout, state: { state: "widening" } } })).toEqual([
    "toggle",
    "widen",
    "finish",
    "halt",
  ]);
  expect(of({ serve: "rollout", rollout: { ...rollout, state: { state: "done", at: 0 } } })).toEqual(["toggle"]);
  expect(choices({ beta: "b", on: true })[0]?.from).toEqual({ plan: "switch", beta: "b", on: false });
});

it("says what keeps a plan from being made", () => {
  const halt = { plan: "halt" as const, flag: "f" };
  expect(wrongPlan(halt, null, NOW)).toBe("it has no time yet");
  expect(wrongPlan(halt, NOW, NOW)).toBe("its time has passed");
  expect(wrongPlan(halt, NOW + 1, NOW)).toBe(null);
  expect(wrongPlan({ plan: "widen", flag: "f", share: 0 }, NOW + 1, NOW)).toBe(
    "the share is more than 0% and at most 100%",
  );
  const shares = [{ variant: "on", share: 9_000 }];
  expect(wrongPlan({ plan: "reshare", flag: "f", shares }, NOW + 1, NOW)).toBe("the shares add up to 90%, not 100%");
});

it("knows times that people mean", () => {
  expect(usual(NOW).map((u) => u.field)).toEqual(["2026-03-02T09:31", "2026-03-03T09:00", "2026-03-09T09:00"]);
  expect(usual(NOW + 6 * 86_400_000)[2]?.field).toBe("2026-03-09T09:00");
  expect(usual(NOW + 5 * 86_400_000)[2]?.field).toBe("2026-03-09T09:00");
});

//! Web: steps are checked and written as the API takes them.
import { expect, it } from "vitest";

import type { Rollout } from "../api/types";
import {
  lasts,
  nextStepText,
  PRESETS,
  rowsOf,
  sameRows,
  stepsOf,
  stepsText,
  stillText,
  wrongStep,
  type StepRow,
} from "./steps";

const row = (percent: number, hold = "1d"): StepRow => ({ percent, hold });

it.each([
  [[row(5)], 0, null],
  [[row(5, "nonsense")], 0, null],
  [[row(0)], 0, "0 share: a share is more than 0% and at most 100%"],
  [[row(101)], 0, "0 share: a share is more than 0% and at most 100%"],
  [[row(5)], 1_000, "0 share: the rollout is at 10% already"],
  [[row(10)], 1_000, null],
  [[row(10), row(10)], 0, "1 share: it widens to more than the 10% before it"],
  [[row(10, "10"), row(20)], 0, "0 hold: write a time such as 10m, 2h or 1d"],
  [[row(10, "0m"), row(20)], 0, "0 hold: it is held for some time"],
  [[row(10, "90d 1s"), row(20)], 0, "0 hold: it is held for 90 days at most"],
  [[row(10, "90d"), row(20)], 0, null],
])("%o of at least %d", (rows, least, said) => {
  const wrong = wrongStep(rows, least);
  expect(wrong && `${wrong.row} ${wrong.part}: ${wrong.said}`).toBe(said);
});

it("has presets that can be taken, and reads what it writes", () => {
  for (const { rows } of PRESETS) {
    expect(wrongStep(rows)).toBe(null);
    expect(sameRows(rowsOf(stepsOf(rows)), rows)).toBe(true);
  }
});

it("says steps and how long they take", () => {
  const steps = stepsOf([row(1), row(10, "12h"), row(100, "")]);
  expect(stepsText(steps)).toBe("1% for 1d, 10% for 12h, then 100%");
  expect(lasts(steps)).toBe(36 * 3_600_000);
  expect(stepsText(stepsOf([row(5)]))).toBe("5%");
});

it.each<[string, number, string, string]>([
  [
    "due",
    1,
    "Its ramp holds the step anew: 50% is expected 1h after.",
    "Its ramp stands still: 50% comes 1h after it is turned on again.",
  ],
  [
    "due",
    2,
    "Its ramp holds the step anew: everybody is expected 1d after.",
    "Its ramp stands still: everybody comes 1d after it is turned on again.",
  ],
  ["due", 3, "", ""],
  ["paused", 1, "Its ramp stays paused.", "Its ramp stays paused."],
  ["ended", 1, "", ""],
])("a ramp that is %s after step %d", (pace, taken, on, off) => {
  const steps = [
    { share: 1000, hold: 3_600_000 },
    { share: 5000, hold: 86_400_000 },
    { share: 10_000, hold: 0 },
  ];
  const ramp = { steps, taken, pace: { pace } } as unknown as Rollout["ramp"];
  expect(stillText({ ramp }, true)).toBe(on);
  expect(stillText({ ramp }, false)).toBe(off);
});

it.each<[string, number, boolean, string | undefined, string]>([
  ["due", 1, true, undefined, "Next step: 50%, today 12:00."],
  ["due", 2, true, undefined, "Next step: everybody, today 12:00."],
  ["due", 1, true, "the guard waits", "Its next step, 50%, is due and waits."],
  ["due", 1, false, undefined, "Its next step, 50%, waits for it to be turned on."],
  ["paused", 2, true, undefined, "Paused before its next step, everybody."],
  ["due", 3, true, undefined, ""],
  ["ended", 1, true, undefined, ""],
])("the next step of a ramp that is %s after step %d, on: %s, late: %s", (pace, taken, on, late, said) => {
  const steps = [
    { share: 1000, hold: 3_600_000 },
    { share: 5000, hold: 86_400_000 },
    { share: 10_000, hold: 0 },
  ];
  const noon = Date.UTC(2026, 2, 3, 12);
  const rollout = {
    state: { state: "widening" },
    ramp: { steps, taken, pace: { pace, at: noon } },
  } as unknown as Rollout;
  expect(nextStepText(rollout, on, late, noon - 3_600_000)).toBe(said);
  expect(nextStepText({ ...rollout, ramp: null }, on, late)).toBe("");
  expect(nextStepText({ ...rollout, state: { state: "halted", at: 0, because: "" } }, on, late)).toBe("");
});

it("a rollout without steps says nothing of them", () => expect(stillText({ ramp: null }, true)).toBe(""));

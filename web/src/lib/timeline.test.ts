//! Web: the way of a rollout is what the log says, and what its ramp and the plans make of it.
import { expect, it } from "vitest";

import type { ChangeView, Rollout, ScheduleView } from "../api/types";
import { future, past } from "./timeline";

const HOUR = 3_600_000;
const BEGAN = 1_000 * HOUR;

type Parts = { share?: number; state?: Rollout["state"]; ramp?: Rollout["ramp"] };
function rollout({ share = 1_000, state = { state: "widening" }, ramp = null }: Parts = {}): Rollout {
  return {
    candidate: "on",
    control: "off",
    split: {
      salt: "s",
      ranges: [
        { variant: "on", from: 0, to: share },
        { variant: "off", from: share, to: 10_000 },
      ],
    },
    ramp,
    state,
    started: BEGAN,
    epoch: 0,
    epoch_began: BEGAN,
  };
}
const STEPS = [
  { share: 1_000, hold: HOUR },
  { share: 5_000, hold: 2 * HOUR },
  { share: 10_000, hold: 0 },
];
const due = (taken: number, at: number): Rollout["ramp"] => ({ steps: STEPS, taken, pace: { pace: "due", at } });

type Edit = ChangeView["change"]["edit"];
const set = (rollout: Rollout, environment = "production"): Edit => ({
  edit: "rollout_set",
  flag: "f",
  environment,
  rollout,
});
const turn = (on: boolean): Edit => ({ edit: "flag_toggled", flag: "f", environment: "production", on });
/** A log, newest first, of edits an hour apart. */
function log(...edits: Edit[]): ChangeView[] {
  const by = { kind: "person", name: "Ana" };
  return edits
    .map((edit, i) => ({
      change: { revision: i + 1, at: BEGAN + i * HOUR, by: { actor: "system" as const }, edit, why: `reason ${i}` },
      by,
      about: { subject: "flag" as const, key: "f" },
      sentence: "",
    }))
    .reverse();
}
const said = (moments: { at: number; share: number; event: string }[]) =>
  moments.map((m) => `${(m.at - BEGAN) / HOUR} ${m.share} ${m.event}`);

it("reads the past from the log, of this rollout and this environment", () => {
  const paused: Rollout["ramp"] = { steps: STEPS, taken: 1, pace: { pace: "paused", left: HOUR } };
  const halted = rollout({ state: { state: "halted", at: 0, because: "harm" }, ramp: paused });
  const edits = log(
    set({ ...rollout(), started: BEGAN - 1 }),
    set(rollout({ ramp: due(1, BEGAN) })),
    set(rollout({ share: 1 }), "development"),
    set(rollout({ ramp: paused })),
    turn(false),
    turn(true),
    set(halted),
    set(rollout({ ramp: due(1, BEGAN) })),
    set(rollout({ share: 5_000, ramp: due(2, BEGAN) })),
    set(rollout({ share: 2_000 })),
    set(rollout({ share: 2_000, ramp: due(1, BEGAN) })),
    set(rollout({ state: { state: "done", at: 0 } })),
  );
  expect(said(past(edits, "production", rollout(), true))).toEqual([
    "1 1000 started",
    "3 1000 paused",
    "4 0 turned off",
    "5 1000 turned on",
    "6 0 halted",
    "7 1000 resumed",
    "8 5000 widened",
    "9 2000 narrowed",
    "10 2000 changed steps",
    "11 10000 finished",
  ]);
});

it("counts nobody while the flag is off", () => {
  const edits = log(set(rollout()), set(rollout({ share: 2_000 })), turn(true));
  expect(said(past(edits, "production", rollout(), true))).toEqual(["0 0 started", "1 0 widened", "2 2000 turned on"]);
  expect(said(past(edits.slice(1), "production", rollout(), false))).toEqual(["0 0 started", "1 0 widened"]);
});

const NOW = BEGAN + HOUR / 2;
const plan = (at: number, planned: ScheduleView["schedule"]["planned"], over = false): ScheduleView => ({
  schedule: {
    key: `p${at}`,
    environment: "production",
    planned,
    at: BEGAN + at * HOUR,
    by: { actor: "system" },
    why: "",
    state: over ? { state: "cancelled", at: NOW } : { state: "waiting" },
  },
  sentence: "",
  planned_by: { kind: "person", name: "Ana" },
  revision: 1,
  warnings: [],
});
const halt = { plan: "halt" as const, flag: "f" };

it.each<[string, Rollout["ramp"], Rollout["state"], boolean, ScheduleView[], string[]]>([
  ["a ramp goes on", due(1, BEGAN + HOUR), { state: "widening" }, true, [], ["1 5000 widened", "3 10000 finished"]],
  [
    "one that is late goes on now",
    due(1, BEGAN),
    { state: "widening" },
    true,
    [],
    ["0.5 5000 widened", "2.5 10000 finished"],
  ],
  ["a ramp stands still while the flag is off", due(2, BEGAN + HOUR), { state: "widening" }, false, [], []],
  [
    "it is held anew once the flag is on",
    due(2, BEGAN + HOUR),
    { state: "widening" },
    false,
    [plan(5, { plan: "toggle", flag: "f", on: true })],
    ["5 1000 turned on", "7 10000 finished"],
  ],
  ["a halted one stands", due(1, BEGAN + HOUR), { state: "halted", at: 0, because: "" }, true, [], []],
  [
    "a paused one would go on from now",
    { steps: STEPS, taken: 2, pace: { pace: "paused", left: HOUR } },
    { state: "widening" },
    true,
    [],
    ["1.5 10000 finished"],
  ],
  [
    "a plan that halts ends the ramp, one that is over does nothing",
    due(1, BEGAN + HOUR),
    { state: "widening" },
    true,
    [plan(2, halt), plan(1, halt, true)],
    ["1 5000 widened", "2 0 halted"],
  ],
  [
    "a plan that turns the flag off lets it stand",
    due(1, BEGAN + HOUR),
    { state: "widening" },
    true,
    [plan(2, { plan: "toggle", flag: "f", on: false })],
    ["1 5000 widened", "2 0 turned off"],
  ],
  [
    "what is over takes no share",
    null,
    { state: "done", at: 0 },
    true,
    [plan(1, { plan: "widen", flag: "f", share: 500 }), plan(2, { plan: "finish", flag: "f" }), plan(3, halt)],
    ["3 0 halted"],
  ],
  [
    "plans alone",
    null,
    { state: "widening" },
    true,
    [plan(1, { plan: "widen", flag: "f", share: 500 }), plan(2, { plan: "finish", flag: "f" })],
    ["1 500 narrowed", "2 10000 finished"],
  ],
])("%s", (_, ramp, state, on, plans, expected) =>
  expect(said(future(rollout({ ramp, state }), on, plans, NOW))).toEqual(expected),
);

//! Web: the steps of a ramp as people write them: shares in percent, and how long each is held.
import type { RampStep, Rollout } from "../api/types";
import { readSpan, writeSpan } from "./span";
import { share } from "./numbers";
import { ago } from "./time";

/** The longest that the API lets a step be held. */
const LONGEST = 90 * 86_400_000;

/** A row of the form; what the hold of the last row says means nothing. */
export type StepRow = { percent: number; hold: string };

const rows = (hold: string, ...percents: number[]): StepRow[] => percents.map((percent) => ({ percent, hold }));

/** Ways that many take. */
export const PRESETS: { name: string; rows: StepRow[] }[] = [
  { name: "1% → 10% → 50% → 100%, a day each", rows: rows("1d", 1, 10, 50, 100) },
  { name: "5% → 25% → 100%, two hours each", rows: rows("2h", 5, 25, 100) },
  { name: "10% → 100%, ten minutes", rows: rows("10m", 10, 100) },
];

/** Whether two lists of rows mean the same. */
export function sameRows(a: StepRow[], b: StepRow[]): boolean {
  const said = (list: StepRow[]) =>
    JSON.stringify(list.map((r, i) => [r.percent, i < list.length - 1 ? readSpan(r.hold) : 0]));
  return said(a) === said(b);
}

/** What is wrong with a row, and where; `null` for steps that can be taken. `least` is the share that there is. */
export function wrongStep(list: StepRow[], least = 0): { row: number; part: "share" | "hold"; said: string } | null {
  for (const [row, { percent, hold }] of list.entries()) {
    const before = list[row - 1];
    if (!(percent > 0 && percent <= 100))
      return { row, part: "share", said: "a share is more than 0% and at most 100%" };
    if (row === 0 && Math.round(percent * 100) < least)
      return { row, part: "share", said: `the rollout is at ${share(least)} already` };
    if (before && percent <= before.percent)
      return { row, part: "share", said: `it widens to more than the ${before.percent}% before it` };
    if (row === list.length - 1) continue;
    const held = readSpan(hold);
    if (held === null) return { row, part: "hold", said: "write a time such as 10m, 2h or 1d" };
    if (held > LONGEST) return { row, part: "hold", said: "it is held for 90 days at most" };
    if (held === 0) return { row, part: "hold", said: "it is held for some time" };
  }
  return null;
}

/** The steps as the API takes them. */
export function stepsOf(list: StepRow[]): RampStep[] {
  return list.map(({ percent, hold }, i) => ({
    share: Math.round(percent * 100),
    hold: i < list.length - 1 ? (readSpan(hold) ?? 0) : 0,
  }));
}

/** Steps of the API as rows. */
export function rowsOf(steps: RampStep[]): StepRow[] {
  return steps.map((s) => ({ percent: s.share / 100, hold: s.hold > 0 ? writeSpan(s.hold) : "1d" }));
}

/** How long the steps take from the first to the last. */
export function lasts(steps: RampStep[]): number {
  return steps.slice(0, -1).reduce((sum, s) => sum + s.hold, 0);
}

/** Steps as they are read: `1% for 1d, 10% for 1d, then 100%`. */
export function stepsText(steps: RampStep[]): string {
  const all = steps.map((s, i) =>
    i < steps.length - 1 ? `${share(s.share)} for ${writeSpan(s.hold)}` : share(s.share),
  );
  return all.length > 1 ? `${all.slice(0, -1).join(", ")}, then ${all.at(-1)}` : (all[0] ?? "");
}

/**
 * The next step of a ramp and its time, for a line that says how a flag stands: `Next step: 10%, tomorrow 09:30.` `late` is why
 * a step that is due is not taken. Empty where nothing comes by itself.
 */
export function nextStepText({ ramp, state }: Rollout, on: boolean, late: string | undefined, now?: number): string {
  const next = ramp?.steps[ramp.taken];
  if (!ramp || !next || state.state !== "widening" || ramp.pace.pace === "ended") return "";
  const wide = next.share === 10_000 ? "everybody" : share(next.share);
  if (ramp.pace.pace === "paused") return `Paused before its next step, ${wide}.`;
  if (!on) return `Its next step, ${wide}, waits for it to be turned on.`;
  return late === undefined
    ? `Next step: ${wide}, ${ago(ramp.pace.at, now)}.`
    : `Its next step, ${wide}, is due and waits.`;
}

/** What a ramp does once its flag is turned on, or off; nothing where no step of it is to come. */
export function stillText({ ramp }: Pick<Rollout, "ramp">, on: boolean): string {
  const next = ramp?.steps[ramp.taken];
  if (!ramp || !next || ramp.pace.pace === "ended") return "";
  if (ramp.pace.pace === "paused") return "Its ramp stays paused.";
  const held = writeSpan(ramp.steps[ramp.taken - 1]?.hold ?? 0);
  const wide = next.share === 10_000 ? "everybody" : share(next.share);
  return on
    ? `Its ramp holds the step anew: ${wide} is expected ${held} after.`
    : `Its ramp stands still: ${wide} comes ${held} after it is turned on again.`;
}

//! Web: the way of a rollout. What became of the candidate's share, read from the log of changes, and what its ramp
//! and the scheduled changes will make of it if nobody steps in.
import type { ChangeView, Rollout, ScheduleView } from "../api/types";

/** What happened to a rollout, or is expected to. */
export type Event =
  | "started"
  | "widened"
  | "narrowed"
  | "paused"
  | "resumed"
  | "halted"
  | "finished"
  | "turned on"
  | "turned off"
  | "changed steps"
  | "changed";

/** A moment of a rollout and the candidate's share from then on, in basis points; 0 while the flag is off. */
export type Moment = { at: number; share: number; event: Event };
/** What was done, by whom and why. */
export type Past = Moment & { revision: number; by: ChangeView["by"]; why: string };
/** What is expected: a step of the ramp, or a scheduled change with its key. */
export type Future = Moment & { schedule?: string };

/** The candidate's share of the population as a rollout stands, in basis points. */
export function shareOf({ state, split, candidate }: Rollout): number {
  if (state.state !== "widening") return state.state === "done" ? 10_000 : 0;
  return split.ranges.filter((r) => r.variant === candidate).reduce((n, r) => n + r.to - r.from, 0);
}

/** What a rollout did between two of its states. */
function eventOf(was: Rollout | undefined, now: Rollout): Event {
  if (!was) return "started";
  if (now.state.state !== was.state.state)
    return now.state.state === "halted" ? "halted" : now.state.state === "done" ? "finished" : "resumed";
  const [before, after] = [shareOf(was), shareOf(now)];
  if (after !== before) return after > before ? "widened" : "narrowed";
  const [pace, old] = [now.ramp?.pace.pace, was.ramp?.pace.pace];
  if (pace === "paused" && old !== "paused") return "paused";
  if (old === "paused" && pace === "due") return "resumed";
  return JSON.stringify(was.ramp?.steps) === JSON.stringify(now.ramp?.steps) ? "changed" : "changed steps";
}

/**
 * What was done to the rollout that is there, oldest first, from the log of its flag (newest first); `on` is whether
 * the flag is on now. Empty where the log does not reach back to its start.
 */
export function past(log: ChangeView[], environment: string, rollout: Rollout, on: boolean): Past[] {
  const done = [...log].reverse();
  const first = done.findIndex(({ change: { edit } }) => of(edit, environment, rollout) !== undefined);
  const mine = first < 0 ? [] : done.slice(first);
  // Before the first time that it was turned, the flag was what that turned it from.
  const turns = mine.flatMap(({ change: { edit } }) =>
    edit.edit === "flag_toggled" && edit.environment === environment ? [edit.on] : [],
  );
  let lit = turns[0] === undefined ? on : !turns[0];
  let was: Rollout | undefined;
  return mine.flatMap(({ change, by }): Past[] => {
    const { edit } = change;
    const at = { at: change.at, revision: change.revision, by, why: change.why };
    const now = of(edit, environment, rollout);
    if (now) {
      const event = eventOf(was, now);
      was = now;
      return [{ ...at, event, share: lit ? shareOf(now) : 0 }];
    }
    if (edit.edit !== "flag_toggled" || edit.environment !== environment || edit.on === lit || !was) return [];
    lit = edit.on;
    return [{ ...at, event: lit ? "turned on" : "turned off", share: lit ? shareOf(was) : 0 }];
  });
}

/** The state that an edit gave this very rollout. */
function of(edit: ChangeView["change"]["edit"], environment: string, rollout: Rollout): Rollout | undefined {
  return edit.edit === "rollout_set" && edit.environment === environment && edit.rollout.started === rollout.started
    ? edit.rollout
    : undefined;
}

/**
 * What is expected from `now` on, in order: the steps of the ramp, which end where a plan halts, finishes or sets the
 * share, and the plans. Of a ramp that is paused it is what would be if it were resumed now.
 */
export function future(rollout: Rollout, on: boolean, plans: ScheduleView[], now: number): Future[] {
  const { ramp, state } = rollout;
  const coming: { at: number; share?: number; on?: boolean; event: Event; schedule?: string }[] = [];
  if (ramp && state.state === "widening" && ramp.pace.pace !== "ended") {
    let at = ramp.pace.pace === "due" ? Math.max(now, ramp.pace.at) : now + ramp.pace.left;
    for (const step of ramp.steps.slice(ramp.taken)) {
      coming.push({ at, share: step.share, event: step.share === 10_000 ? "finished" : "widened" });
      at += step.hold;
    }
  }
  const has = shareOf(rollout);
  for (const { schedule } of plans) {
    if (schedule.state.state !== "waiting") continue;
    const { planned, key } = schedule;
    const at = Math.max(now, schedule.at);
    if (planned.plan === "toggle")
      coming.push({ at, on: planned.on, event: planned.on ? "turned on" : "turned off", schedule: key });
    if (planned.plan === "halt") coming.push({ at, share: 0, event: "halted", schedule: key });
    if (planned.plan === "finish") coming.push({ at, share: 10_000, event: "finished", schedule: key });
    if (planned.plan === "widen")
      coming.push({ at, share: planned.share, event: planned.share < has ? "narrowed" : "widened", schedule: key });
  }
  let [share, lit, ramped, widening] = [has, on, true, state.state === "widening"];
  return coming
    .sort((a, b) => a.at - b.at)
    .flatMap((next): Future[] => {
      if (next.schedule === undefined && !ramped) return [];
      // What is over can be halted, and neither set to another share nor finished: such a plan will be refused.
      if (!widening && next.share !== undefined && next.event !== "halted") return [];
      if (next.schedule !== undefined && next.share !== undefined) ramped = false;
      if (next.event === "halted" || next.event === "finished") widening = false;
      share = next.share ?? share;
      lit = next.on ?? lit;
      const one = { at: next.at, share: lit ? share : 0, event: next.event };
      return [next.schedule === undefined ? one : { ...one, schedule: next.schedule }];
    });
}

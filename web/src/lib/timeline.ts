//! Web: the way of a rollout. What became of the candidate's share, read from the log of changes, and what its ramp
//! and the scheduled changes will make of it if nobody steps in.
import type { ChangeView, FlagView, Rollout, ScheduleView } from "../api/types";

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

/** Why a step that is due is not taken; `undefined` where none is late. */
export function lateBecause(view: FlagView, environment: string): string | undefined {
  return view.waiting[environment];
}

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
 * What is expected from `now` on, in order: the steps of the ramp, and what is planned. A ramp ends where a plan halts,
 * finishes or sets the share; while the flag is off it stands still, and the step is held anew once it is on. Of a ramp
 * that is paused it is what would be if it were resumed now.
 */
export function future(rollout: Rollout, on: boolean, plans: ScheduleView[], now: number): Future[] {
  const { ramp, state } = rollout;
  const coming = plans
    .filter((p) => p.schedule.state.state === "waiting")
    .sort((a, b) => a.schedule.at - b.schedule.at);
  const steps = ramp?.steps.slice(ramp.taken) ?? [];
  let [share, lit, widening] = [shareOf(rollout), on, state.state === "widening"];
  let held = ramp?.steps[ramp.taken - 1]?.hold ?? 0;
  let due =
    !ramp || ramp.pace.pace === "ended" ? Infinity : ramp.pace.pace === "due" ? ramp.pace.at : now + ramp.pace.left;
  const found: Future[] = [];
  const push = (at: number, event: Event, schedule?: string) =>
    found.push({ at: Math.max(now, at), share: lit ? share : 0, event, ...(schedule ? { schedule } : {}) });
  for (;;) {
    const step = widening && lit ? steps[0] : undefined;
    const plan = coming[0]?.schedule;
    // What somebody planned for that moment is there when the ramp looks.
    if (plan && !(step && due < plan.at)) {
      coming.shift();
      const { planned, key } = plan;
      if (planned.plan === "toggle" && planned.on !== lit) {
        lit = planned.on;
        if (lit && due !== Infinity) due = plan.at + held;
        push(plan.at, lit ? "turned on" : "turned off", key);
      } else if (planned.plan === "halt" && (widening || share > 0)) {
        [share, widening] = [0, false];
        push(plan.at, "halted", key);
      } else if (widening && (planned.plan === "finish" || (planned.plan === "widen" && planned.share === 10_000))) {
        [share, widening] = [10_000, false];
        push(plan.at, "finished", key);
      } else if (widening && planned.plan === "widen") {
        const event = planned.share < share ? "narrowed" : "widened";
        share = planned.share;
        steps.length = 0;
        push(plan.at, event, key);
      }
    } else if (step) {
      steps.shift();
      share = step.share;
      widening = share < 10_000;
      push(due, widening ? "widened" : "finished");
      held = step.hold;
      due = Math.max(now, due) + held;
    } else return found;
  }
}

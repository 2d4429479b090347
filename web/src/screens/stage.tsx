//! Web: where an experiment stands, in a word and in a sentence.
import type { ExperimentView } from "../api/types";
import { plural } from "../lib/numbers";
import { ago, day, now } from "../lib/time";
import { Badge } from "../parts/Words";

const RANK = { running: 0, draft: 1, stopped: 2, shipped: 3 } as const;
const DAY = 86_400_000;

/** Those that run first, then those that wait. */
export function stageRank({ experiment: { state } }: ExperimentView): number {
  return RANK[state.state];
}

/** Days until the horizon; negative once it has passed. */
export function daysLeft(view: ExperimentView): number | null {
  return view.experiment.state.state === "running" && view.ends != null ? Math.ceil((view.ends - now()) / DAY) : null;
}

export function Stage({ view }: { view: ExperimentView }) {
  const { state } = view.experiment;
  const left = daysLeft(view);
  if (state.state === "draft") return <Badge tone="off">draft</Badge>;
  if (state.state === "running") {
    return left !== null && left > 0 ? (
      <Badge tone="accent">running, {plural(left, "day")} left</Badge>
    ) : (
      <Badge tone="warn">ready to decide</Badge>
    );
  }
  return state.state === "shipped" ? <Badge tone="good">shipped {state.variant}</Badge> : <Badge>stopped</Badge>;
}

/** One sentence of state for the head of the page. */
export function stageSentence(view: ExperimentView): string {
  const { experiment: e, ends } = view;
  const on = `On flag ${e.flag} in ${e.environment}`;
  if (e.state.state === "draft") return `${on}: a draft, the plan can still be changed.`;
  if (e.state.state === "stopped") return `${on}: stopped ${ago(e.state.at)}: ${e.state.because}`;
  if (e.state.state === "shipped") return `${on}: shipped ${e.state.variant} ${ago(e.state.at)}.`;
  const left = daysLeft(view) ?? 0;
  const since = `${on}: running since ${day(e.state.since)}`;
  return left > 0
    ? `${since}, ${plural(left, "day")} left until it decides.`
    : `${since}; the horizon passed ${ends != null ? ago(ends) : ""}, it can decide.`;
}

//! Web: where an experiment stands, in a word and in a sentence.
import type { ExperimentView } from "../api/types";
import { plural } from "../lib/numbers";
import { ago, day, moment, now } from "../lib/time";
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
  if (state.state === "stopped") return <Badge>stopped</Badge>;
  return state.variant === view.experiment.plan.control ? (
    <Badge>kept {state.variant}</Badge>
  ) : (
    <Badge tone="good">shipped {state.variant}</Badge>
  );
}

/** One sentence of state for the head of the page. */
export function stageSentence(view: ExperimentView): string {
  const { experiment: e, ends } = view;
  const on = `On ${e.flag} in ${e.environment}`;
  const runs = `Running on ${e.flag} in ${e.environment}`;
  if (e.state.state === "draft") return `${on}: a draft; nothing is counted until it starts.`;
  if (e.state.state === "stopped") return `${on}: stopped ${ago(e.state.at)}: ${e.state.because}`;
  if (e.state.state === "shipped") {
    const word = e.state.variant === e.plan.control ? "kept" : "shipped";
    return `${on}: ${word} ${e.state.variant} ${ago(e.state.at)}.`;
  }
  const left = daysLeft(view) ?? 0;
  const since = `${runs} since ${day(e.state.since)}`;
  return left > 0
    ? `${since}, until ${moment(ends ?? 0)}.`
    : `${since}. It reached its planned end${ends != null ? ` ${ago(ends)}` : ""}: it can be decided.`;
}

//! Web: the draft of the tracking plan. It is kept in this browser until it is saved, proposed or discarded, so that it
//! outlives a reload; nobody else sees it before that.
import { Button } from "@mantine/core";
import { useDebouncedValue, useLocalStorage } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { ApiError } from "../../api/client";
import { edit } from "../../api/edits";
import type { Checked, PlanView, TrackingPlan } from "../../api/types";
import { pretty } from "../../lib/diff";
import { plural } from "../../lib/numbers";
import { changedEvents, rebased, samePlan } from "../../lib/plan";
import { nameText } from "../../lib/sent";
import { and } from "../../lib/spoken";
import { Note } from "../../parts/Words";
import { PAUSE, refuses } from "../flag/rehearsal";

/** The proposal that a draft is to become again. */
export type Again = { key: string; title: string; revision: number };
type Held = { from: { plan: TrackingPlan; revision: number }; plan: TrackingPlan; again?: Again };

/** A draft of the plan. */
export type PlanDraft = {
  /** The plan as it is to be; what the server has while nothing is changed. */
  plan: TrackingPlan;
  from: { plan: TrackingPlan; revision: number };
  changed: boolean;
  again?: Again;
  set: (plan: TrackingPlan) => void;
  /** Begins a draft that is to become a proposal once more. */
  take: (plan: TrackingPlan, again: Again) => void;
  discard: () => void;
  /** Makes it a draft of the plan that there is now. */
  renew: () => void;
};

/** The draft of a plan. */
export function usePlanDraft(view: PlanView): PlanDraft {
  const [held, hold] = useLocalStorage<Held | null>({
    key: "bellwether.plan.draft",
    defaultValue: null,
    getInitialValueInEffect: false,
  });
  const now = { plan: view.plan, revision: view.revision };
  const from = held?.from ?? now;
  return {
    plan: held?.plan ?? view.plan,
    from,
    changed: held !== null,
    again: held?.again,
    set: (plan) => hold(samePlan(plan, from.plan) ? null : { from, plan, again: held?.again }),
    take: (plan, again) => hold({ from: now, plan, again }),
    discard: () => hold(null),
    renew: () => {
      const { plan } = rebased(from.plan, held?.plan ?? from.plan, now.plan);
      hold(samePlan(plan, now.plan) ? null : { from: now, plan, again: held?.again });
    },
  };
}

/** What the server says of a plan while it is written: what it would change, or what is wrong with it. */
export function useChecked(plan: TrackingPlan | null): { checked?: Checked; refused?: ApiError; settled: boolean } {
  const said = JSON.stringify(plan);
  const [paused] = useDebouncedValue(said, PAUSE);
  const query = useQuery({
    queryKey: ["plan-check", paused],
    enabled: plan !== null && paused === said,
    staleTime: 5_000,
    gcTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: async (): Promise<{ checked?: Checked; refused?: ApiError }> => {
      try {
        return { checked: await edit.checkPlan({ plan: JSON.parse(paused) as TrackingPlan }) };
      } catch (error) {
        if (refuses(error)) return { refused: error };
        throw error;
      }
    },
  });
  return plan === null
    ? { settled: false }
    : { ...query.data, settled: paused === said && query.isFetched && !query.isPlaceholderData };
}

/** What a draft differs in: `2 event types and the rules`. */
export function inWhat({ from, plan }: Pick<PlanDraft, "from" | "plan">): string {
  const events = changedEvents(from.plan, plan).length;
  const ruled = pretty(from.plan.rules) !== pretty(plan.rules);
  return and([...(events > 0 ? [plural(events, "event type")] : []), ...(ruled ? ["the rules"] : [])]);
}

/** Says on every view of the plan that there is a draft, and leads to it. */
export function DraftBar({ draft, view, open }: { draft: PlanDraft; view: PlanView; open: boolean }) {
  if (!draft.changed) return null;
  return (
    <div className="draft-bar" role="region" aria-label="Your draft">
      <p className="grow">
        <b>Your draft</b>
        {draft.again ? ` of proposal ${draft.again.key}` : ""}: {inWhat(draft)}{" "}
        {changedEvents(draft.from.plan, draft.plan).length === 1 && !inWhat(draft).includes(" and ")
          ? "differs"
          : "differ"}{" "}
        from {draft.from.revision === 0 ? "the empty plan" : `revision ${draft.from.revision}`}. Only this browser has
        it.
      </p>
      {!open && (
        <Button size="compact-sm" renderRoot={(props) => <Link to="/plan" search={{ tab: "draft" }} {...props} />}>
          Review the draft
        </Button>
      )}
      <Button size="compact-sm" variant="default" onClick={draft.discard}>
        Discard
      </Button>
      {draft.from.revision !== view.revision && <Outdated draft={draft} view={view} />}
    </div>
  );
}

/** Says that the plan has changed since the draft was begun, and brings the draft up to date. */
function Outdated({ draft, view }: { draft: PlanDraft; view: PlanView }) {
  const { clashes } = rebased(draft.from.plan, draft.plan, view.plan);
  return (
    <Note tone="warn">
      <p role="status">
        {view.changed_by?.name ?? "Somebody"} changed the plan since: it is at revision {view.revision} now.{" "}
        {clashes.length === 0
          ? "Nothing of it is what you changed."
          : `You both changed ${and(clashes.map(nameText))}: yours would replace theirs.`}
      </p>
      <Button size="compact-sm" variant="default" mt={6} onClick={draft.renew}>
        Bring the draft up to date
      </Button>
    </Note>
  );
}

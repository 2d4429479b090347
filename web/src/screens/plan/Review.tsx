//! Web: the draft of the plan as it is looked at before it is saved or proposed: what it changes, what it breaks, and what
//! is probably not meant.
import { Button, Group, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import { plan as planQuery } from "../../api/queries";
import type { PlanView } from "../../api/types";
import { rebased } from "../../lib/plan";
import { useChange } from "../../parts/Change";
import { KeyInput, keyed } from "../../parts/KeyInput";
import { Section } from "../../parts/Page";
import { Bones, Empty, Failed, Warnings } from "../../parts/States";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { Breaking, Differences } from "./Differences";
import { inWhat, useChecked, type PlanDraft } from "./draft";

export function Review({ draft, view }: { draft: PlanDraft; view: PlanView }) {
  // Of an older plan: what it would be brought up to date, so that what others changed since is not shown as taken back.
  const plan =
    draft.from.revision === view.revision ? draft.plan : rebased(draft.from.plan, draft.plan, view.plan).plan;
  const { checked, refused, settled } = useChecked(draft.changed ? plan : null);
  if (!draft.changed)
    return (
      <Empty
        title="There is no draft"
        why="Whatever you change in the event types or the rules makes one. It stays in this browser until you save it, propose it or discard it."
      />
    );
  return (
    <>
      {refused ? (
        <Failed error={refused} />
      ) : checked ? (
        <Section
          title="What changes"
          about={
            checked.revision === 0
              ? "Against the plan that there is, which is empty."
              : `Against revision ${checked.revision}, the plan that there is.`
          }
        >
          <Differences label="What the draft changes" differences={checked.differences} then={plan.events} />
          <Breaking on={checked.breaking} />
          <Warnings list={[...checked.consequences, ...checked.new_warnings]} />
        </Section>
      ) : (
        <Bones lines={4} />
      )}
      <Decide draft={draft} view={view} able={settled && refused === undefined} />
    </>
  );
}

function Decide({ draft, view, able }: { draft: PlanDraft; view: PlanView; able: boolean }) {
  const { change } = useChange();
  const { all } = useEnvironment();
  const client = useQueryClient();
  const may = useMay("editor");
  const review = view.plan.rules.review === true;
  const outdated = draft.from.revision !== view.revision;
  const save = async () => {
    const { from } = draft;
    const made = await change({
      title: "Make the draft the tracking plan?",
      confirm: "Save the plan",
      quick: !all.some((e) => e.production),
      why: all.some((e) => e.production) ? "" : "changed in the page",
      moves: (
        <p style={{ margin: 0 }}>
          {inWhat(draft)} will be as in the draft, and events are held against it at once, in all environments.
        </p>
      ),
      run: (why) => edit.savePlan({ plan: draft.plan, why, if_revision: from.revision || undefined }),
      // Where the draft asks for a review, only a proposal takes it back.
      undo: draft.plan.rules.review ? undefined : (because) => edit.savePlan({ plan: from.plan, ...because }),
      done: "the tracking plan is changed",
      shown: from.plan,
      newest: async () => (await client.fetchQuery({ ...planQuery, staleTime: 0 })).plan,
    });
    if (made) draft.discard();
  };
  return (
    <>
      {!review && (
        <Section
          title="Save it"
          about="It is the plan at once. Where somebody else should look at it first, propose it."
        >
          <Group gap="sm">
            <Button
              disabled={!may.allowed || !able || outdated}
              title={may.allowed ? undefined : may.reason}
              onClick={() => void save()}
            >
              Save as the plan
            </Button>
            {outdated && <span className="dim">Bring the draft up to date first</span>}
          </Group>
        </Section>
      )}
      <Propose draft={draft} able={able && may.allowed} review={review} reason={may.allowed ? undefined : may.reason} />
    </>
  );
}

type ProposeProps = { draft: PlanDraft; able: boolean; review: boolean; reason?: string };

function Propose({ draft, able, review, reason }: ProposeProps) {
  const { change } = useChange();
  const navigate = useNavigate();
  const [title, setTitle] = useState(draft.again?.title ?? "");
  const [key, setKey] = useState("");
  const id = draft.again?.key ?? (key || keyed(title));
  const submit = async () => {
    const made = await change({
      title: `Propose ${id}?`,
      confirm: "Propose it",
      quick: true,
      why: title || `proposal ${id}`,
      run: (why) =>
        edit.propose(id, {
          title,
          plan: draft.plan,
          why,
          base: draft.from.revision || undefined,
          if_revision: draft.again?.revision,
        }),
      done: `proposal ${id} is made`,
    });
    if (!made) return;
    draft.discard();
    void navigate({ to: "/plan/proposals/$proposal", params: { proposal: id } });
  };
  return (
    <Section
      title={draft.again ? `Propose ${draft.again.key} again` : "Propose it"}
      about={
        review
          ? "The plan changes only by proposals that somebody else has approved: whoever wrote one last does not approve it."
          : "Others see what it would change, and approve or close it. The plan stays until then."
      }
    >
      <form
        className="form"
        aria-label="Propose the draft"
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <TextInput
          label="What it is for"
          required
          placeholder="Gift orders have a sender"
          value={title}
          onChange={(e) => setTitle(e.currentTarget.value)}
        />
        {!draft.again && <KeyInput value={id} onChange={setKey} />}
        <Group>
          <Button type="submit" variant={review ? "filled" : "default"} disabled={!able || !id} title={reason}>
            Propose it
          </Button>
        </Group>
      </form>
    </Section>
  );
}

//! Web: the tracking plan: what events there are and what is in them, the draft of another one, what is proposed, what
//! does not follow it, and what is kept apart.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { plan as planQuery, proposals } from "../api/queries";
import type { PlanView } from "../api/types";
import { plural } from "../lib/numbers";
import { conventionText, markOf, NOTHING } from "../lib/plan";
import { nameText } from "../lib/sent";
import { ago } from "../lib/time";
import { ChangeLog } from "../parts/ChangeLog";
import { Page } from "../parts/Page";
import { Loaded } from "../parts/States";
import { useMay } from "../shell/may";
import { DraftBar, usePlanDraft } from "./plan/draft";
import { Proposals } from "./plan/Proposals";
import { QuarantineTab } from "./plan/Quarantine";
import { Review } from "./plan/Review";
import { Rules } from "./plan/Rules";
import { TypePage } from "./plan/Type";
import { MarkBadge, NameDialog, Types } from "./plan/Types";
import { ViolationsTab } from "./plan/Violations";

const EMPTY: PlanView = { plan: NOTHING, revision: 0, warnings: [] };

export function PlanScreen(): JSX.Element {
  const { tab, event } = useSearch({ from: "/inside/plan" });
  const navigate = useNavigate({ from: "/plan" });
  const query = useQuery(planQuery);
  const view = query.data ?? EMPTY;
  const draft = usePlanDraft(view);
  const waiting = useQuery(proposals).data?.filter((p) => p.proposal.state.state === "open").length ?? 0;
  const [naming, setNaming] = useState(false);
  const may = useMay("editor");
  const of = (all: { key: string; label: string }[]) => all.find((t) => t.key === tab)?.key ?? all[0]!.key;
  if (event !== undefined) {
    const tabs = [
      { key: "definition", label: "Definition" },
      { key: "changes", label: "Changes" },
    ];
    const open = of(tabs);
    return (
      <Page
        name={event}
        title={
          <>
            {nameText(event)} {query.data && <MarkBadge mark={markOf(draft.from.plan, draft.plan, event)} />}
          </>
        }
        above={{ label: "Tracking plan", to: "/plan" }}
        state="An event type of the tracking plan, the same in all environments."
        tabs={{ all: tabs, open, label: `Views of ${nameText(event)}` }}
      >
        {open === "changes" ? (
          <ChangeLog about={{ event }} />
        ) : (
          <Loaded query={query}>
            {(v) => (
              <>
                <DraftBar draft={draft} view={v} open={false} />
                <TypePage key={event} draft={draft} view={v} name={event} />
              </>
            )}
          </Loaded>
        )}
      </Page>
    );
  }
  const tabs = [
    { key: "types", label: "Event types" },
    { key: "rules", label: "Rules" },
    ...(draft.changed || tab === "draft" ? [{ key: "draft", label: "Draft" }] : []),
    { key: "proposals", label: waiting > 0 ? `Proposals (${waiting})` : "Proposals" },
    { key: "violations", label: "Violations" },
    { key: "quarantine", label: "Quarantine" },
    { key: "changes", label: "Changes" },
  ];
  const open = of(tabs);
  return (
    <Page
      title="Tracking plan"
      state={query.data ? stateOf(view) : undefined}
      actions={
        <Button
          leftSection={<IconPlus size={16} aria-hidden />}
          disabled={!may.allowed || !query.data}
          title={may.allowed ? undefined : may.reason}
          onClick={() => setNaming(true)}
        >
          New event type
        </Button>
      }
      tabs={{ all: tabs, open, label: "Views of the plan" }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ plan: true }} />
      ) : open === "proposals" ? (
        <Proposals />
      ) : open === "quarantine" ? (
        <QuarantineTab />
      ) : open === "violations" ? (
        <ViolationsTab />
      ) : (
        <Loaded query={query}>
          {(v) => (
            <>
              <DraftBar draft={draft} view={v} open={open === "draft"} />
              {open === "rules" ? (
                <Rules draft={draft} />
              ) : open === "draft" ? (
                <Review draft={draft} view={v} />
              ) : (
                <Types draft={draft} view={v} />
              )}
            </>
          )}
        </Loaded>
      )}
      {naming && (
        <NameDialog
          draft={draft}
          close={(name) => {
            setNaming(false);
            if (name) void navigate({ search: (old) => ({ env: old.env, event: name }) });
          }}
        />
      )}
    </Page>
  );
}

function stateOf({ plan, revision, changed, changed_by }: PlanView): string {
  if (revision === 0) return "Nothing is planned yet, so no event is judged.";
  const { naming, review } = plan.rules;
  const named = naming.events ? `, named in ${conventionText(naming.events)}` : "";
  const reviewed = review ? " Changes need a review." : "";
  const by = changed && changed_by ? ` Changed ${ago(changed)} by ${changed_by.name}.` : "";
  return `${plural(Object.keys(plan.events).length, "event type")}${named}, the same in all environments.${reviewed}${by}`;
}

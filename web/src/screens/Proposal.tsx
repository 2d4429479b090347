//! Web: one proposal for the tracking plan: what it would change, and who may make it the plan.
import { Button, Group } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { ApiError } from "../api/client";
import { edit } from "../api/edits";
import { plan as planQuery, proposal as proposalQuery } from "../api/queries";
import type { PlanView, ProposalView } from "../api/types";
import { plural } from "../lib/numbers";
import { NOTHING, withChanges } from "../lib/plan";
import { unturned } from "../lib/sent";
import { capital, hinted } from "../lib/spoken";
import { ago } from "../lib/time";
import { useChange, type Intent } from "../parts/Change";
import { ChangeLog } from "../parts/ChangeLog";
import { Page, Section } from "../parts/Page";
import { absent, Loaded, Said, Unread, Warnings } from "../parts/States";
import { Note, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { refuses } from "./flag/rehearsal";
import { NoSuch } from "./Missing";
import { Breaking, Contents, Differences } from "./plan/Differences";
import { usePlanDraft } from "./plan/draft";
import { StateBadge } from "./plan/Proposals";

const TABS = [
  { key: "proposal", label: "What it changes" },
  { key: "changes", label: "Changes" },
];
const EMPTY: PlanView = { plan: NOTHING, revision: 0, warnings: [] };

export function ProposalScreen(): JSX.Element {
  const { proposal: key } = useParams({ from: "/inside/plan/proposals/$proposal" });
  const { tab } = useSearch({ from: "/inside/plan/proposals/$proposal" });
  const query = useQuery(proposalQuery(key));
  const view = query.data;
  if (absent(query)) return <NoSuch what="proposal" name={key} error={query.error} />;
  const open = tab === "changes" ? "changes" : "proposal";
  const title = unturned(view?.proposal.title || key);
  return (
    <Page
      name={title}
      title={
        <>
          {title} {view && <StateBadge state={view.proposal.state} />}
        </>
      }
      code={key}
      above={{ label: "Tracking plan", to: "/plan" }}
      state={view ? stateOf(view) : undefined}
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ proposal: key }} />
      ) : (
        <Loaded query={query}>{(v) => <Body view={v} />}</Loaded>
      )}
    </Page>
  );
}

function stateOf({ proposal: { state }, changed, changed_by, differences }: ProposalView): string {
  switch (state.state) {
    case "open":
      return `A proposal for the tracking plan with ${plural(differences.length, "difference")}, by ${changed_by.name}, ${ago(changed)}.`;
    case "approved":
      return `It has been in the tracking plan since ${ago(state.at)}, approved by ${changed_by.name}.`;
    case "closed":
      return `Closed by ${changed_by.name}, ${ago(state.at)}: it did not become the plan.`;
  }
}

function Body({ view }: { view: ProposalView }) {
  const { proposal } = view;
  const { state } = proposal;
  if (state.state !== "open")
    return (
      <>
        {state.state === "closed" && state.because && (
          <Note>
            <p>
              Closed <When at={state.at} />: <Said>{state.because}</Said>
            </p>
          </Note>
        )}
        <Section
          title="What it said"
          about="Each event type with what the proposal gives it. The plan may have changed since."
        >
          <Contents label="What the proposal said" changes={proposal.changes} />
          <p className="dim">
            Who wrote it, and why, is in{" "}
            <Link
              to="/plan/proposals/$proposal"
              params={{ proposal: proposal.key }}
              search={(old) => ({ ...old, tab: "changes" })}
            >
              its changes
            </Link>
            .
          </p>
        </Section>
      </>
    );
  return (
    <>
      <Section title="What it would change" about="Of the plan that there is now.">
        <Differences
          label="What the proposal changes"
          differences={view.differences}
          then={proposal.changes.save ?? undefined}
        />
        <Breaking on={view.breaking} />
        <Warnings list={view.warnings} />
      </Section>
      <Decide view={view} />
    </>
  );
}

function Decide({ view }: { view: ProposalView }) {
  const { key, title, changes } = view.proposal;
  const { change } = useChange();
  const { all } = useEnvironment();
  const navigate = useNavigate();
  const may = useMay("editor");
  const plan = useQuery(planQuery);
  const now = plan.data;
  const draft = usePlanDraft(now ?? EMPTY);
  const [deciding, setDeciding] = useState(false);
  const decide = async (intent: Intent) => {
    setDeciding(true);
    if (!(await change(intent))) setDeciding(false);
  };
  // The approval is rehearsed, so that a refusal is read before it is asked for; not while it is made, as of what is
  // approved this revision is an old one.
  const barred = useQuery({
    queryKey: ["approval", key, view.revision, now?.revision],
    enabled: may.allowed && !deciding,
    retry: false,
    queryFn: async (): Promise<ApiError | null> => {
      try {
        await edit.rehearseApproval(key, { why: "a rehearsal", if_revision: view.revision });
        return null;
      } catch (error) {
        if (refuses(error)) return error;
        throw error;
      }
    },
  }).data;
  const production = all.some((e) => e.production);
  const able = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };
  return (
    <Section title="Decide">
      <Unread of={[plan]} />
      {barred && (
        <div style={{ marginBottom: 12 }}>
          <Note tone="warn">
            <p className="strong">
              <Said>{`You cannot approve it: ${barred.message}`}</Said>
            </p>
            <p className="hint">
              <Said>{capital(hinted(barred.hint))}</Said>
            </p>
          </Note>
        </div>
      )}
      <Group gap="sm">
        <Button
          {...able}
          disabled={!may.allowed || barred !== null}
          onClick={() =>
            void decide({
              title: `Approve ${key}?`,
              confirm: "Make it the plan",
              quick: !production,
              why: "",
              moves: (
                <p style={{ margin: 0 }}>
                  {plural(view.differences.length, "difference")} {view.differences.length === 1 ? "becomes" : "become"}{" "}
                  the tracking plan, and events are held against it at once
                  {view.breaking ? "; some of it is breaking" : ""}.
                </p>
              ),
              run: (why) => edit.approve(key, { why, if_revision: view.revision }),
              done: `proposal ${key} is the plan`,
            })
          }
        >
          Approve
        </Button>
        <Button
          variant="default"
          {...able}
          onClick={() =>
            void decide({
              title: `Close ${key}?`,
              confirm: "Close it",
              why: "",
              moves: <p style={{ margin: 0 }}>It does not become the plan, and stays in the list as closed.</p>,
              run: (why) => edit.closeProposal(key, { why, if_revision: view.revision }),
              done: `proposal ${key} is closed`,
            })
          }
        >
          Close
        </Button>
        <Button
          variant="default"
          {...able}
          disabled={!may.allowed || !now || draft.changed}
          title={draft.changed ? "You have a draft: review or discard it first" : able.title}
          onClick={() => {
            if (!now) return;
            draft.take(withChanges(now.plan, changes), { key, title: title ?? "", revision: view.revision });
            void navigate({ to: "/plan", search: (old: { env?: string }) => ({ env: old.env, tab: "draft" }) });
          }}
        >
          Edit it
        </Button>
      </Group>
    </Section>
  );
}

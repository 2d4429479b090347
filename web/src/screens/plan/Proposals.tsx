//! Web: the proposals for the plan, open ones first.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";

import { proposals } from "../../api/queries";
import type { ProposalView } from "../../api/types";
import { plural } from "../../lib/numbers";
import { unturned } from "../../lib/sent";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty, Loaded } from "../../parts/States";
import { Badge, When } from "../../parts/Words";

export function StateBadge({ state }: { state: ProposalView["proposal"]["state"] }) {
  return (
    <Badge tone={{ open: "accent", approved: "good", closed: "off" }[state.state] as "accent"}>{state.state}</Badge>
  );
}

const COLUMNS: Column<ProposalView>[] = [
  {
    key: "key",
    head: "Proposal",
    wide: true,
    cell: (v) => (
      <>
        <Link to="/plan/proposals/$proposal" params={{ proposal: v.proposal.key }} className="key">
          {unturned(v.proposal.title || v.proposal.key)}
        </Link>
        {v.proposal.title && <span className="mono dim beside">{v.proposal.key}</span>}
        <div className="under">
          {v.proposal.state.state === "open"
            ? `by ${v.changed_by.name}`
            : `${v.proposal.state.state} by ${v.changed_by.name}`}
          {v.proposal.state.state === "closed" &&
            v.proposal.state.because &&
            `: “${unturned(v.proposal.state.because)}”`}
        </div>
      </>
    ),
  },
  { key: "state", head: "State", cell: (v) => <StateBadge state={v.proposal.state} /> },
  {
    key: "differences",
    head: "Changes",
    right: true,
    roomy: true,
    cell: (v) =>
      v.proposal.state.state !== "open" ? (
        ""
      ) : (
        <>
          {plural(v.differences.length, "difference")} {v.breaking && <Badge tone="warn">breaking</Badge>}
        </>
      ),
  },
  { key: "changed", head: "Changed", right: true, roomy: true, cell: (v) => <When at={v.changed} /> },
];

export function Proposals() {
  const query = useQuery(proposals);
  const navigate = useNavigate();
  return (
    <Loaded query={query}>
      {(list) =>
        list.length === 0 ? (
          <Empty
            title="No proposals yet"
            why="A proposal is a draft that others look at: it shows what it would change of the plan, and what of it breaks events that follow it. Change something in the plan and propose it, or send one from a branch with bellwether plan propose."
          />
        ) : (
          <DataTable
            label="Proposals"
            columns={COLUMNS}
            rows={list}
            id={(v) => v.proposal.key}
            onOpen={(v) => void navigate({ to: "/plan/proposals/$proposal", params: { proposal: v.proposal.key } })}
          />
        )
      }
    </Loaded>
  );
}

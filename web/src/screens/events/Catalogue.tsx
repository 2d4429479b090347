//! Web: the event types that came, each with its last days, and with what the plan says of it.
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import { plan as planQuery } from "../../api/queries";
import type { Answer, TrackingPlan } from "../../api/types";
import { DAYS, Spark } from "../../charts/Spark";
import { count } from "../../lib/numbers";
import { own } from "../../lib/own";
import { reserved } from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { DataTable, type Column } from "../../parts/DataTable";
import { SearchInput } from "../../parts/SearchInput";
import { Bones, Empty, Unread } from "../../parts/States";
import { Badge, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

/** An event type as it was seen. */
export type Seen = Answer<"/api/events", "get">["events"][number];

const STANDINGS = [
  { value: "planned", label: "Planned" },
  { value: "unplanned", label: "Not planned" },
  { value: "sdk", label: "Of the SDKs' makers" },
];

/** Whether the plan has an event type; `sdk` where no plan is asked about it. */
export function standingOf(plan: TrackingPlan | undefined, event: string): "planned" | "unplanned" | "sdk" | null {
  if (reserved(event)) return "sdk";
  if (!plan) return null;
  return own(plan.events, event) ? "planned" : "unplanned";
}

/** How an event type stands to the plan, in a word. */
export function Standing({ plan, event }: { plan: TrackingPlan | undefined; event: string }) {
  switch (standingOf(plan, event)) {
    case "planned":
      return <Badge tone="good">planned</Badge>;
    case "unplanned":
      return <Badge tone={plan && Object.keys(plan.events).length > 0 ? "warn" : "off"}>not planned</Badge>;
    case "sdk":
      return <Badge tone="off">not judged</Badge>;
    case null:
      return null;
  }
}

export function Catalogue({ events }: { events: Seen[] }) {
  const { q = "", of } = useSearch({ from: "/inside/events" });
  const navigate = useNavigate({ from: "/events" });
  const { here } = useEnvironment();
  const rules = useQuery(planQuery);
  const plan = rules.data?.plan;
  const standing = STANDINGS.find((s) => s.value === of)?.value;
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = events.filter((e) => {
    const hay = `${e.event} ${own(plan?.events, e.event)?.description ?? ""}`.toLowerCase();
    return (!standing || standingOf(plan, e.event) === standing) && words.every((w) => hay.includes(w));
  });
  const columns: Column<Seen>[] = [
    {
      key: "event",
      head: "Event",
      wide: true,
      sort: (e) => e.event.toLowerCase(),
      cell: (e) => (
        <>
          <Link to="/events" search={(old) => ({ env: old.env, event: e.event })} className="key">
            {nameText(e.event)}
          </Link>
          {own(plan?.events, e.event)?.description && (
            <div className="under">{unturned(own(plan?.events, e.event)?.description ?? "")}</div>
          )}
          <div className="cramped">
            <Standing plan={plan} event={e.event} />
          </div>
        </>
      ),
    },
    {
      key: "plan",
      head: "Plan",
      roomy: true,
      sort: (e) => standingOf(plan, e.event),
      cell: (e) => <Standing plan={plan} event={e.event} />,
    },
    {
      key: "days",
      head: `${DAYS} days`,
      roomy: true,
      cell: (e) => <Spark environment={here.key} event={e.event} />,
    },
    { key: "count", head: "Count", right: true, sort: (e) => e.count, cell: (e) => count(e.count) },
    { key: "first", head: "First", right: true, roomy: true, sort: (e) => e.first, cell: (e) => <When at={e.first} /> },
    { key: "last", head: "Last", right: true, sort: (e) => e.last, cell: (e) => <When at={e.last} /> },
  ];
  return (
    <>
      <div className="row" style={{ marginBottom: 12 }}>
        <SearchInput
          label="Search event types"
          placeholder="Search by name or meaning"
          value={q}
          onSearch={(q) => void navigate({ search: (old) => ({ ...old, q }), replace: true })}
        />
        <Select
          aria-label="Only those that are"
          placeholder="Planned or not"
          data={STANDINGS}
          value={standing ?? null}
          clearable
          w={220}
          onChange={(v) => void navigate({ search: (old) => ({ ...old, of: v ?? undefined }), replace: true })}
        />
      </div>
      <Unread of={[rules]} />
      {rules.isPending && <Bones lines={1} />}
      {shown.length === 0 ? (
        <Empty title="No event type matches" why="The search looks at names and at what the plan says they mean.">
          <Link to="/events" search={(old) => ({ env: old.env })}>
            Show all {count(events.length)}
          </Link>
        </Empty>
      ) : (
        <>
          <DataTable
            label="Event types"
            columns={columns}
            rows={shown}
            id={(e) => e.event}
            order={{ key: "count", down: true }}
            onOpen={(e) => void navigate({ search: (old) => ({ env: old.env, event: e.event }) })}
          />
          {shown.some((e) => e.bots > 0) && (
            <p className="dim plain-p">What programs such as crawlers did is counted, and left out of the lines.</p>
          )}
        </>
      )}
    </>
  );
}

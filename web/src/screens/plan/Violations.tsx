//! Web: how events do not follow the plan, as it happens: what was wanted, what came, how often, and what was done.
import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { plan as planQuery, violations } from "../../api/queries";
import type { TrackingPlan, Violation } from "../../api/types";
import { count, plural } from "../../lib/numbers";
import { fates, plannedIn, wantedAndCame } from "../../lib/plan";
import { nameText } from "../../lib/sent";
import { moment } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { SearchInput } from "../../parts/SearchInput";
import { Empty, Loaded, Said } from "../../parts/States";
import { When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

/** The reasons by which one may look, in the words of the page. */
const KINDS: { value: string; label: string; reasons: Violation["reason"][] }[] = [
  { value: "unplanned_event", label: "Event types that are not planned", reasons: ["unplanned_event"] },
  { value: "unplanned_property", label: "Properties that are not planned", reasons: ["unplanned_property"] },
  { value: "missing", label: "Missing properties", reasons: ["missing"] },
  { value: "invalid", label: "Wrong types and values", reasons: ["wrong_type", "wrong_item", "not_among"] },
];

export function ViolationsTab() {
  const { here } = useEnvironment();
  const { q = "", kind, of } = useSearch({ from: "/inside/plan" });
  const navigate = useNavigate({ from: "/plan" });
  const [live, setLive] = useState(true);
  const rules = useQuery(planQuery);
  const plan = rules.data?.plan;
  const query = useQuery({ ...violations(here.key), refetchInterval: live ? 2_000 : false });
  const set = (part: { q?: string; kind?: string; of?: string }) =>
    void navigate({ search: (old) => ({ ...old, ...part }), replace: true });
  return (
    <Loaded query={query}>
      {({ since, violations: all, forgotten }) => {
        // Whether nothing is wrong or nothing is judged, the plan says.
        if (!plan) return <Loaded query={rules}>{() => null}</Loaded>;
        if (all.length === 0)
          return (
            <Empty
              title={
                Object.keys(plan.events).length > 0
                  ? `Every event in ${here.name} since the server started follows the plan`
                  : `No event in ${here.name} is judged`
              }
              why={
                Object.keys(plan.events).length > 0
                  ? `It started ${moment(since)}. Events that do not follow it are listed here as they come; what an earlier start saw is not, and what is kept apart is under Quarantine.`
                  : "No event type is planned, so no event is judged. Plan the first, and what does not follow it is listed here as it comes."
              }
            >
              <Link to="/plan">See the event types</Link>
            </Empty>
          );
        const chosen = KINDS.find((k) => k.value === kind);
        const words = q.toLowerCase().split(/\s+/).filter(Boolean);
        const shown = all.filter(
          (v) =>
            (of === undefined || v.event === of) &&
            (!chosen || chosen.reasons.includes(v.reason)) &&
            words.every((w) => `${v.event} ${v.property ?? ""} ${v.message} ${v.source}`.toLowerCase().includes(w)),
        );
        const events = [...new Set([...all.map((v) => v.event), ...(of ? [of] : [])])].sort();
        return (
          <>
            <div className="row" style={{ marginBottom: 12 }}>
              <SearchInput
                label="Search violations"
                placeholder="Search by name or sender"
                value={q}
                width={240}
                onSearch={(q) => set({ q })}
              />
              <Select
                aria-label="Only of event type"
                placeholder="Of every event type"
                data={events.map((value) => ({ value, label: nameText(value) }))}
                value={of ?? null}
                searchable
                clearable
                w={220}
                onChange={(v) => set({ of: v ?? undefined })}
              />
              <Select
                aria-label="Only of kind"
                placeholder="Of every kind"
                data={KINDS.map(({ value, label }) => ({ value, label }))}
                value={chosen?.value ?? null}
                clearable
                w={260}
                onChange={(v) => set({ kind: v ?? undefined })}
              />
              <label className="check">
                <input type="checkbox" checked={live} onChange={(e) => setLive(e.currentTarget.checked)} /> Live
              </label>
            </div>
            <p className="dim" style={{ margin: "0 0 12px" }}>
              {plural(
                shown.reduce((sum, v) => sum + v.count, 0),
                "time",
              )}
              , {plural(shown.length, "way")}, since the server started, {moment(since)}.{" "}
              {forgotten > 0 &&
                `${plural(forgotten, "rare way")} of all environments are forgotten: there were too many.`}
            </p>
            {shown.length === 0 ? (
              <Empty title="Nothing matches" why="There are violations of other event types or kinds.">
                <Link to="/plan" search={(old) => ({ env: old.env, tab: "violations" })}>
                  Show all {count(all.length)}
                </Link>
              </Empty>
            ) : (
              <DataTable
                label="Violations"
                columns={columnsOf(plan)}
                rows={shown}
                id={(v) => [v.event, v.property, v.message, v.source].join("\u0001")}
                order={{ key: "count", down: true }}
              />
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function columnsOf(plan: TrackingPlan | undefined): Column<Violation>[] {
  return [
    {
      key: "what",
      head: "Event and property",
      wide: true,
      sort: (v) => `${v.event} ${v.property ?? ""}`,
      cell: (v) => {
        const { wanted, came } = wantedAndCame(v, plan);
        const planned = v.property != null && plannedIn(plan, v.event, v.property) !== undefined;
        return (
          <>
            <Link
              to="/plan"
              search={(old) => ({
                env: old.env,
                event: v.event,
                property: planned ? (v.property ?? undefined) : undefined,
              })}
              className="key"
            >
              {nameText(v.event)}
              {v.property != null && <span className="mono"> · {nameText(v.property)}</span>}
            </Link>
            <div className="under cramped">
              wanted {wanted}; came {came}
            </div>
            <div className="under">
              {v.hint && (
                <>
                  <Said>{v.hint}</Said>;{" "}
                </>
              )}
              sent by {nameText(v.source)}
            </div>
          </>
        );
      },
    },
    {
      key: "wanted",
      head: "Wanted",
      roomy: true,
      cell: (v) => <div className="said">{wantedAndCame(v, plan).wanted}</div>,
    },
    {
      key: "came",
      head: "Came",
      roomy: true,
      cell: (v) => <div className="said">{wantedAndCame(v, plan).came}</div>,
    },
    {
      key: "count",
      head: "Count",
      right: true,
      sort: (v) => v.count,
      cell: (v) => (
        <>
          {count(v.count)}
          <div className="under fates">{fates(v, count)}</div>
        </>
      ),
    },
    { key: "first", head: "First", right: true, roomy: true, sort: (v) => v.first, cell: (v) => <When at={v.first} /> },
    { key: "last", head: "Last", right: true, sort: (v) => v.last, cell: (v) => <When at={v.last} /> },
  ];
}

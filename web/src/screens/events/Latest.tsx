//! Web: the newest events as they were taken, refreshed every two seconds until somebody pauses it. Each that does not
//! follow the plan says so, and how.
import { Button, Select } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Fragment, useState } from "react";

import { useAway } from "../../api/connection";
import { edit } from "../../api/edits";
import { plan, recent } from "../../api/queries";
import type { RecentEvent } from "../../api/types";
import { pretty } from "../../lib/diff";
import { plural } from "../../lib/numbers";
import { own } from "../../lib/own";
import { VERDICTS } from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { capital } from "../../lib/spoken";
import { firstProperties, looked, verdictOf } from "../../lib/stream";
import { byServer, moment, now } from "../../lib/time";
import { whose, whoText } from "../../lib/who";
import { DataTable, type Column } from "../../parts/DataTable";
import { SearchInput } from "../../parts/SearchInput";
import { Empty, Loaded, Said } from "../../parts/States";
import { Badge, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

/** So many of the newest are looked through. */
const MOST = 500;

type Row = RecentEvent & { id: string };

export function Latest() {
  const { here } = useEnvironment();
  const { q = "", of, marked } = useSearch({ from: "/inside/events" });
  const navigate = useNavigate({ from: "/events" });
  const [paused, pause] = useState<number | null>(null);
  const handling = useQuery(plan).data?.plan.rules.environments?.[here.key];
  const hashed = q !== "" && (handling?.user_ids === "hash" || handling?.device_ids === "hash");
  const query = useQuery({ ...recent(here.key, MOST), refetchInterval: paused === null ? 2_000 : false });
  const away = useAway() !== null;
  const set = (part: { q?: string; of?: string; marked?: string }) =>
    void navigate({ search: (old) => ({ ...old, ...part }), replace: true });
  return (
    <Loaded query={query}>
      {(found) => {
        const all = rowsOf(found.events as RecentEvent[]);
        const shown = all.filter((e) => looked(e, { q, of, marked: marked !== undefined }));
        const types = [...new Set([...all.map((e) => e.event), ...(of ? [of] : [])])].sort();
        return (
          <>
            <div className="row" style={{ marginBottom: 12 }}>
              <Button
                variant="default"
                leftSection={
                  paused === null ? <IconPlayerPause size={15} aria-hidden /> : <IconPlayerPlay size={15} aria-hidden />
                }
                onClick={() => {
                  pause(paused === null ? now() : null);
                  if (paused !== null) void query.refetch();
                }}
              >
                {paused === null ? "Pause" : "Go on"}
              </Button>
              <SearchInput
                label="Search events"
                placeholder="Search by person or property"
                value={q}
                width={240}
                onSearch={(q) => set({ q })}
              />
              <Select
                aria-label="Only of event type"
                placeholder="Of every event type"
                data={types.map((value) => ({ value, label: nameText(value) }))}
                value={of ?? null}
                searchable
                clearable
                w={220}
                onChange={(v) => set({ of: v ?? undefined })}
              />
              <label className="check">
                <input
                  type="checkbox"
                  checked={marked !== undefined}
                  onChange={(e) => set({ marked: e.currentTarget.checked ? "1" : undefined })}
                />{" "}
                Only what does not follow the plan
              </label>
            </div>
            <p className="dim" style={{ margin: "0 0 12px" }} role="status">
              {paused !== null
                ? `Paused, ${moment(paused)}`
                : away || query.isError
                  ? `Not live, as it was ${moment(byServer(query.dataUpdatedAt))}`
                  : "Live, every two seconds"}
              : {shown.length} of the newest {plural(all.length, "event")}. What was{" "}
              <Link to="/plan" search={(old) => ({ env: old.env, tab: "violations" })}>
                rejected
              </Link>{" "}
              or is{" "}
              <Link to="/plan" search={(old) => ({ env: old.env, tab: "quarantine" })}>
                kept apart
              </Link>{" "}
              is not among them.
            </p>
            {shown.length === 0 ? (
              <Empty
                title="None of the newest events matches"
                why={`More may come: this goes on looking unless it is paused.${hashed ? " Ids are stored as hashes here: an id as your code writes it is not found, its hash is." : ""}`}
              >
                <Link to="/events" search={(old) => ({ env: old.env, tab: "latest" })}>
                  Show all {all.length}
                </Link>
              </Empty>
            ) : (
              <DataTable label="Latest events" columns={COLUMNS} rows={shown} id={(e) => e.id} />
            )}
          </>
        );
      }}
    </Loaded>
  );
}

/** Events with an id that stays while newer ones come before them. */
function rowsOf(events: RecentEvent[]): Row[] {
  const seen = new Map<string, number>();
  return [...events]
    .reverse()
    .map((e) => {
      const of = [e.received, e.event, whose(e.who), e.insert_id ?? ""].join("\u0001");
      const n = seen.get(of) ?? 0;
      seen.set(of, n + 1);
      return { ...e, id: `${of}\u0001${n}` };
    })
    .reverse();
}

const COLUMNS: Column<Row>[] = [
  { key: "received", head: "Received", cell: (e) => <When at={e.received} /> },
  {
    key: "event",
    head: "Event",
    cell: (e) => {
      const verdict = verdictOf(e);
      return (
        <div className="named">
          <span className="strong">{nameText(e.event)}</span>{" "}
          {verdict && <Badge tone={verdict === "invalid" ? "bad" : "warn"}>{own(VERDICTS, verdict) ?? verdict}</Badge>}
          <div className="under cramped">
            <span className="mono id">{whoText(e.who)}</span>
          </div>
        </div>
      );
    },
  },
  { key: "who", head: "Who", roomy: true, cell: (e) => <span className="mono id">{whoText(e.who)}</span> },
  { key: "properties", head: "Properties", wide: true, cell: (e) => <Content event={e} /> },
];

/** So much of an event stands in its row; opened, it shows all. */
const LONGEST = 300;

function Content({ event }: { event: Row }) {
  const [open, setOpen] = useState(false);
  const { id: _, ...plain } = event;
  const shown = firstProperties(event, LONGEST);
  return (
    <details open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary className={shown.length > 0 ? "mono dim" : "dim"}>
        {shown.length === 0 && "none"}
        {shown.map(([name, value], i) => (
          <Fragment key={i}>
            {i > 0 && " "}
            <bdi>{name}</bdi>=<bdi>{value}</bdi>
          </Fragment>
        ))}
      </summary>
      {open && (
        <>
          {verdictOf(event) && <Judged event={event} />}
          <pre
            className="how mono"
            tabIndex={0}
            role="region"
            aria-label={`Event ${nameText(event.event)} of ${whoText(event.who)}`}
          >
            {unturned(pretty(plain))}
          </pre>
        </>
      )}
    </details>
  );
}

/** How an event does not follow the plan that there is now. */
function Judged({ event }: { event: RecentEvent }) {
  const { $verdict: _, ...properties } = event.properties ?? {};
  const query = useQuery({
    queryKey: ["judged", event.event, properties],
    staleTime: 30_000,
    queryFn: () => edit.judge({ events: [{ event: event.event, properties }] }),
  });
  return (
    <Loaded query={query} lines={1}>
      {({ faults }) =>
        faults.length === 0 ? (
          <p className="under">It did not follow the plan when it came; by the plan that there is now it would.</p>
        ) : (
          <ul className="plain" aria-label="How it does not follow the plan">
            {faults.map((f) => (
              <li key={f.message}>
                <Said>{capital(f.message)}</Said>
                {f.hint && (
                  <span className="dim">
                    {" "}
                    · <Said>{f.hint}</Said>
                  </span>
                )}
              </li>
            ))}
            <li>
              <Link to="/plan" search={(old) => ({ env: old.env, event: event.event })}>
                Open in the plan
              </Link>
            </li>
          </ul>
        )
      }
    </Loaded>
  );
}

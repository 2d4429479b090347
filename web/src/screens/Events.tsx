//! Web: what comes in: the catalogue of event types, and the newest events as they were taken.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { catalogue, recent } from "../api/queries";
import type { RecentEvent } from "../api/types";
import { count, plural } from "../lib/numbers";
import { whose } from "../lib/who";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { Snippet, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";

const TABS = [
  { key: "catalogue", label: "Catalogue" },
  { key: "latest", label: "Latest" },
];
type Kind = { event: string; count: number; first: number; last: number };

/** How to send a first event, over the Amplitude protocol that SDKs speak. */
export function SendOne({ apiKey = "<a client key, from Settings>" }: { apiKey?: string }) {
  return (
    <Snippet
      label="curl that sends an event"
      text={`curl -X POST ${window.location.origin}/2/httpapi \\
  -H "Content-Type: application/json" \\
  -d '{"api_key": "${apiKey}", "events": [
        {"user_id": "ana-1", "event_type": "purchase", "event_properties": {"amount": 42}}]}'`}
    />
  );
}

export function EventsScreen(): JSX.Element {
  const { tab } = useSearch({ from: "/inside/events" });
  const { here } = useEnvironment();
  const query = useQuery(catalogue(here.key));
  const total = query.data?.events.reduce((sum, e) => sum + e.count, 0);
  return (
    <Page
      title="Events"
      state={
        total === undefined
          ? undefined
          : `${plural(total, "event")} of ${plural(query.data?.events.length ?? 0, "type")} in ${here.name}.`
      }
      tabs={{ all: TABS, open: tab === "latest" ? "latest" : "catalogue", label: "Views of events" }}
    >
      <Loaded query={query}>
        {({ events }) =>
          events.length === 0 ? (
            <Empty
              title={`No events in ${here.name} yet`}
              why="The official Amplitude SDKs send here with a server URL of this address; so does anything that can post JSON. What is taken shows within a second."
            >
              <SendOne />
            </Empty>
          ) : tab === "latest" ? (
            <Latest />
          ) : (
            <Catalogue events={events} />
          )
        }
      </Loaded>
    </Page>
  );
}

const COLUMNS: Column<Kind>[] = [
  {
    key: "event",
    head: "Event",
    wide: true,
    sort: (e) => e.event,
    cell: (e) => (
      <Link to="/explore" search={{ event: e.event }} className="key">
        {e.event}
      </Link>
    ),
  },
  { key: "count", head: "Count", right: true, sort: (e) => e.count, cell: (e) => count(e.count) },
  { key: "first", head: "First", right: true, roomy: true, sort: (e) => e.first, cell: (e) => <When at={e.first} /> },
  { key: "last", head: "Last", right: true, sort: (e) => e.last, cell: (e) => <When at={e.last} /> },
];

function Catalogue({ events }: { events: Kind[] }) {
  const navigate = useNavigate();
  return (
    <DataTable
      label="Event types"
      columns={COLUMNS}
      rows={events}
      id={(e) => e.event}
      order={{ key: "count", down: true }}
      onOpen={(e) => void navigate({ to: "/explore", search: { event: e.event } })}
    />
  );
}

function Latest() {
  const { here } = useEnvironment();
  const [live, setLive] = useState(true);
  const query = useQuery({ ...recent(here.key), refetchInterval: live ? 2_000 : false });
  return (
    <Loaded query={query}>
      {({ events }) => (
        <>
          <label className="check" style={{ marginBottom: 12 }}>
            <input type="checkbox" checked={live} onChange={(e) => setLive(e.currentTarget.checked)} /> Live: the newest{" "}
            {plural(events.length, "event")}, refreshed every two seconds
          </label>
          <div className="table-wrap" tabIndex={0} role="region" aria-label="Latest events">
            <table className="table" aria-label="Latest events">
              <thead>
                <tr>
                  <th scope="col">Received</th>
                  <th scope="col">Event</th>
                  <th scope="col" className="roomy">
                    Who
                  </th>
                  <th scope="col" className="wide">
                    Properties
                  </th>
                </tr>
              </thead>
              <tbody>
                {(events as unknown as RecentEvent[]).map((e, i) => (
                  <tr key={`${e.received}-${i}`}>
                    <td>
                      <When at={e.received} />
                    </td>
                    <td className="nowrap strong">
                      {e.event}
                      <div className="mono under cramped">{whose(e.who)}</div>
                    </td>
                    <td className="mono nowrap roomy">{whose(e.who)}</td>
                    <td className="mono wide dim">
                      {Object.entries({ ...e.properties })
                        .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
                        .join(" ")}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </Loaded>
  );
}

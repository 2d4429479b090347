//! Web: how the data is that decisions rest on: how fresh it is, what came twice, what was unlike the days before, and what
//! of it programs did.
import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { JSX } from "react";

import { health } from "../../api/queries";
import type { Answer } from "../../api/types";
import { count, plural, share as points } from "../../lib/numbers";
import { nameText } from "../../lib/sent";
import { civil, dateLabel, moment } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { Loaded, Said } from "../../parts/States";
import { Badge, Note, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

type Found = Answer<"/api/events/health", "get">;

export function Health(): JSX.Element {
  const { here } = useEnvironment();
  return (
    <Loaded query={useQuery(health(here.key))} lines={8}>
      {(found) => (
        <>
          <Facts found={found} />
          <Now found={found} />
          <Drifts found={found} />
          <Programs found={found} />
        </>
      )}
    </Loaded>
  );
}

/** How many, and what share of all. */
const share = (n: number, of: number) => (n === 0 ? "0" : `${count(n)} (${points(Math.round((10_000 * n) / of))})`);

type FactsProps = { facts: [string, JSX.Element | string][] };

function List({ facts }: FactsProps) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What is there whenever it came: before the last start, too. */
function Now({ found: f }: { found: Found }) {
  return (
    <section aria-label="Now">
      <Title order={2} size="h4" mt="xl" mb="xs">
        Now
      </Title>
      <List
        facts={[
          ["Newest", f.received === null || f.received === undefined ? "none" : moment(f.received)],
          ["Dated more than an hour ahead", count(f.events.reduce((sum, e) => sum + e.ahead, 0))],
          ["In quarantine", f.quarantined === 0 ? "0" : quarantineLink(f.quarantined)],
        ]}
      />
    </section>
  );
}

function Facts({ found: f }: { found: Found }) {
  const facts: FactsProps["facts"] = [
    ["Came and were stored", count(f.stored)],
    ["Exposures and assignments that the server recorded itself", count(f.recorded)],
    ["Came again, and stored once", share(f.duplicates, f.stored + f.duplicates)],
    ["Without an id (insert_id), so that a copy is not known", share(f.unnamed, f.stored)],
    ["Not as planned", f.unfollowed === 0 ? "0" : violationsLink(f.unfollowed)],
  ];
  return (
    <section aria-label="Since the start">
      {f.refusing && <Note tone="bad">No events are taken: {f.refusing}.</Note>}
      <Title order={2} size="h4" mt="xl" mb="xs">
        Since the server started, {moment(f.since)}
      </Title>
      <List facts={facts} />
    </section>
  );
}

const violationsLink = (n: number) => (
  <Link to="/plan" search={(old) => ({ env: old.env, tab: "violations" })}>
    {count(n)}
  </Link>
);

const quarantineLink = (n: number) => (
  <Link to="/plan" search={(old) => ({ env: old.env, tab: "quarantine" })}>
    {count(n)}
  </Link>
);

function Drifts({ found: f }: { found: Found }) {
  const day = dateLabel(civil(f.day));
  const young = f.young > 0 ? ` ${plural(f.young, "type")} came on too few days to be judged; seven are needed.` : "";
  return (
    <section aria-label="Drift">
      <Title order={2} size="h4" mt="xl" mb="xs">
        Unlike the days before
      </Title>
      {f.drifts.length === 0 ? (
        <p className="dim">
          {f.judged === 0
            ? `Nothing could be judged on ${day}.${young}`
            : `Nothing stood out on ${day}: ${plural(f.judged, "type")} came as the weeks before lead one to expect, and so did what they hold.${young}`}
        </p>
      ) : (
        <>
          <p className="dim">
            On {day}, the last day of UTC that is over, against the weeks before.{young}
          </p>
          <ul className="plain">
            {f.drifts.map((d) => (
              <li key={`${d.event} ${d.property ?? ""} ${d.moved}`} className="drift">
                <Badge tone="warn">{MOVED[d.moved]}</Badge>
                <span className="grow">
                  <Said>{d.message}</Said>{" "}
                  <Link to="/events" search={(old) => ({ env: old.env, event: d.event })}>
                    Look at it
                  </Link>
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

const MOVED: Record<Found["drifts"][number]["moved"], string> = {
  volume: "volume",
  presence: "presence",
  sort: "sort",
  new: "new values",
  gone: "lost values",
};

function Programs({ found: f }: { found: Found }) {
  const rows = f.events.filter((e) => e.bots > 0);
  const columns: Column<Found["events"][number]>[] = [
    {
      key: "event",
      head: "Event",
      wide: true,
      sort: (e) => e.event.toLowerCase(),
      cell: (e) => (
        <Link to="/events" search={(old) => ({ env: old.env, event: e.event })} className="key">
          {nameText(e.event)}
        </Link>
      ),
    },
    { key: "bots", head: "Of programs", right: true, sort: (e) => e.bots, cell: (e) => count(e.bots) },
    {
      key: "share",
      head: "Share",
      right: true,
      sort: (e) => e.bots / e.count,
      cell: (e) => points(Math.round((10_000 * e.bots) / e.count)),
    },
    { key: "last", head: "Last", right: true, roomy: true, sort: (e) => e.last, cell: (e) => <When at={e.last} /> },
  ];
  return (
    <section aria-label="Programs">
      <Title order={2} size="h4" mt="xl" mb="xs">
        Programs
      </Title>
      {rows.length === 0 ? (
        <p className="dim">No event is of a crawler or another program.</p>
      ) : (
        <>
          <p className="dim">
            Events of crawlers and of whoever is faster than people are. They are kept, and charts and experiments leave
            them out.
          </p>
          <DataTable
            label="Events of programs"
            columns={columns}
            rows={rows}
            id={(e) => e.event}
            order={{ key: "bots", down: true }}
          />
        </>
      )}
    </section>
  );
}

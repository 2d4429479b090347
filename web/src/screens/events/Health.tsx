//! Web: how the data is that decisions rest on: how fresh it is, what was unlike the days before, what of it programs did,
//! and what looks personal where the plan does not say so.
import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { JSX } from "react";

import { health, suspects } from "../../api/queries";
import type { Answer } from "../../api/types";
import { count, plural, share } from "../../lib/numbers";
import { civil, dateLabel, moment } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { Loaded, Said } from "../../parts/States";
import { Badge, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";

type Found = Answer<"/api/events/health", "get">;
type Suspect = Answer<"/api/personal", "get">["suspects"][number];

export function Health(): JSX.Element {
  const { here } = useEnvironment();
  return (
    <>
      <Loaded query={useQuery(health(here.key))} lines={8}>
        {(found) => (
          <>
            <Facts found={found} />
            <Drifts found={found} />
            <Programs found={found} />
          </>
        )}
      </Loaded>
      <Loaded query={useQuery(suspects(here.key))} lines={6}>
        {({ suspects: list, looked_at, cut }) => <Suspects list={list} of={looked_at} cut={cut} />}
      </Loaded>
    </>
  );
}

function Facts({ found: f }: { found: Found }) {
  const facts: [string, JSX.Element | string][] = [
    ["Newest", f.received === null || f.received === undefined ? "none since the start" : moment(f.received)],
    ["Stored", count(f.stored)],
    ["Came again", count(f.duplicates)],
    ["Not as planned", f.unfollowed === 0 ? "0" : violationsLink(f.unfollowed)],
    ["In quarantine", f.quarantined === 0 ? "0" : quarantineLink(f.quarantined)],
  ];
  return (
    <section aria-label="Since the start">
      <Title order={2} size="h4" mt="xl" mb="xs">
        Since the server started, {moment(f.since)}
      </Title>
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
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
            : `Nothing was on ${day}: ${plural(f.judged, "type")}, and what they hold, as the weeks before lead one to expect.${young}`}
        </p>
      ) : (
        <>
          <p className="dim">
            On {day}, the last day of UTC that is over, against the weeks before.{young}
          </p>
          <ul className="plain">
            {f.drifts.map((d) => (
              <li key={`${d.event} ${d.property ?? ""} ${d.moved}`} className="row" style={{ marginBottom: 6 }}>
                <Badge tone="warn">{MOVED[d.moved]}</Badge>
                <span>
                  <Said>{d.message}</Said>
                </span>
                <Link to="/events" search={(old) => ({ env: old.env, event: d.event })}>
                  Look at it
                </Link>
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
          {e.event}
        </Link>
      ),
    },
    { key: "bots", head: "Of programs", right: true, sort: (e) => e.bots, cell: (e) => count(e.bots) },
    {
      key: "share",
      head: "Share",
      right: true,
      sort: (e) => e.bots / e.count,
      cell: (e) => share(Math.round((10_000 * e.bots) / e.count)),
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

const KINDS: Record<Suspect["kind"], string> = {
  email: "e-mail",
  phone: "telephone",
  card: "bank card",
  iban: "IBAN",
  national_id: "national id",
  ip: "address",
};

function Suspects({ list, of, cut }: { list: Suspect[]; of: number; cut: boolean }) {
  const columns: Column<Suspect>[] = [
    {
      key: "where",
      head: "Where",
      wide: true,
      sort: (s) => `${s.event ?? ""} ${s.property}`,
      cell: (s) => (
        <>
          <span className="key">{s.property}</span>{" "}
          <span className="dim">
            {s.of === "event" ? `of ${s.event ?? ""}` : s.of === "id" ? "an id" : `of the ${s.of}`}
          </span>
          <div className="under">
            <Said>{s.hint}</Said>
          </div>
        </>
      ),
    },
    {
      key: "kind",
      head: "Looks like",
      sort: (s) => s.kind,
      cell: (s) => (
        <>
          <Badge tone="warn">{KINDS[s.kind]}</Badge>
          {s.earlier && <div className="under">found earlier</div>}
        </>
      ),
    },
    { key: "shape", head: "Shape", roomy: true, cell: (s) => <code>{s.shape}</code> },
    {
      key: "found",
      head: "Values",
      right: true,
      sort: (s) => s.found,
      cell: (s) => `${count(s.found)} of ${count(s.looked_at)}`,
    },
    { key: "last", head: "Last", right: true, roomy: true, sort: (s) => s.last, cell: (s) => <When at={s.last} /> },
  ];
  return (
    <section aria-label="What looks personal">
      <Title order={2} size="h4" mt="xl" mb="xs">
        What looks personal
      </Title>
      {list.length === 0 ? (
        <p className="dim">
          {of === 0
            ? "There are no events to look at."
            : `Nothing in the newest ${plural(of, "event")} that the plan does not call personal.`}
        </p>
      ) : (
        <>
          <p className="dim">
            In the newest {plural(of, "event")}, where the plan does not call it personal. Values are not shown: each
            letter is an x, each digit a 9.{cut ? " There are more properties than could be told apart." : ""}
          </p>
          <DataTable
            label="What looks personal"
            columns={columns}
            rows={list}
            id={(s) => `${s.of} ${s.event ?? ""} ${s.property}`}
          />
        </>
      )}
    </section>
  );
}

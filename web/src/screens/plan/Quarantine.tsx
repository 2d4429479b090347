//! Web: the events that are kept apart: how many of each type, each with why it is here, and the ways out: into the
//! store, or away for good.
import { Button, Group } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { edit } from "../../api/edits";
import { quarantine } from "../../api/queries";
import type { HeldEvent, RecentEvent } from "../../api/types";
import { pretty } from "../../lib/diff";
import { count, plural } from "../../lib/numbers";
import { nameText, unturned } from "../../lib/sent";
import { capital } from "../../lib/spoken";
import { whoText } from "../../lib/who";
import { useChange } from "../../parts/Change";
import { DataTable } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Bones, Empty, Failed, Said } from "../../parts/States";
import { When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";

/** Which events are meant. */
type Meant = { ids: number[] } | { event: string } | { all: true };

/** The most that are named one by one at once. */
const MOST = 1_000;

export function QuarantineTab() {
  const { here } = useEnvironment();
  const { of } = useSearch({ from: "/inside/plan" });
  const navigate = useNavigate({ from: "/plan" });
  const { change, say } = useChange();
  const may = useMay("editor");
  const [chosen, choose] = useState<number[]>([]);
  const query = useInfiniteQuery(quarantine(here.key, of ?? null));
  if (!query.data)
    return query.isError ? (
      <Failed error={query.error} retry={() => void query.refetch()} since={query.errorUpdatedAt} />
    ) : (
      <Bones />
    );
  const types = query.data.pages.at(-1)?.types ?? [];
  const events = query.data.pages.flatMap((p) => p.events);
  const total = types.reduce((sum, t) => sum + t.count, 0);
  const there = chosen.filter((id) => events.some((e) => e.id === id));
  const able = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };

  const release = async (meant: Meant, what: string) => {
    let said = "";
    const made = await change({
      title: `Release ${what} in ${here.name}?`,
      confirm: "Release",
      unlogged: true,
      quick: !here.production,
      moves: (
        <p style={{ margin: 0 }}>
          They are stored with the time at which they happened, and count once. Those that still do not follow the plan
          are marked so.
        </p>
      ),
      run: async () => {
        const { stored, duplicates } = await edit.release({ environment: here.key, ...meant });
        said = `${plural(stored, "event is", "events are")} stored${duplicates > 0 ? `, ${plural(duplicates, "was", "were")} stored already` : ""}`;
      },
      done: `${what} released`,
    });
    if (made) {
      choose([]);
      say(said);
    }
  };
  const discard = async (meant: Meant, what: string) => {
    let said = "";
    const made = await change({
      title: `Delete ${what} in ${here.name}?`,
      confirm: "Delete for good",
      danger: true,
      unlogged: true,
      moves: <p style={{ margin: 0 }}>They are overwritten on disk. It cannot be taken back.</p>,
      run: async () => {
        const { deleted } = await edit.discardHeld({ environment: here.key, ...meant });
        said = `${plural(deleted, "event is", "events are")} deleted for good`;
      },
      done: `${what} deleted`,
    });
    if (made) {
      choose([]);
      say(said);
    }
  };
  const ways = (meant: Meant, what: string, label: string, off = false) => (
    <span className="actions-row" style={{ flexWrap: "nowrap" }}>
      <Button
        size="compact-sm"
        variant="default"
        {...able}
        disabled={!may.allowed || off}
        aria-label={`Release ${label}`}
        onClick={() => void release(meant, what)}
      >
        Release
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        {...able}
        disabled={!may.allowed || off}
        aria-label={`Delete ${label}`}
        onClick={() => void discard(meant, what)}
      >
        Delete
      </Button>
    </span>
  );

  if (total === 0)
    return (
      <Empty
        title={`Nothing is kept apart in ${here.name}`}
        why="Events that do not follow the plan come here where its rules say “quarantine”. No query sees them until somebody releases them; their senders are told that all is well."
      >
        <Link to="/plan" search={(old) => ({ env: old.env, tab: "rules" })}>
          See the rules
        </Link>
      </Empty>
    );
  return (
    <>
      {query.isError && !ApiError.away(query.error) && (
        <Failed error={query.error} retry={() => void query.refetch()} since={query.errorUpdatedAt} />
      )}
      <Section
        title={`${plural(total, "event")} of ${plural(types.length, "type")}`}
        about="No query sees them. Where the plan was wrong, change it, then release them; where the events are, delete them."
      >
        <DataTable
          label="Event types in quarantine"
          rows={types}
          id={(t) => t.event}
          order={{ key: "count", down: true }}
          columns={[
            {
              key: "event",
              head: "Event type",
              wide: true,
              sort: (t) => t.event.toLowerCase(),
              cell: (t) => (
                <Link
                  to="/plan"
                  search={(old) => ({ ...old, of: t.event === of ? undefined : t.event })}
                  className="key"
                  aria-current={t.event === of ? "true" : undefined}
                >
                  {nameText(t.event)}
                </Link>
              ),
            },
            { key: "count", head: "Count", right: true, sort: (t) => t.count, cell: (t) => count(t.count) },
            {
              key: "first",
              head: "First",
              right: true,
              roomy: true,
              sort: (t) => t.first,
              cell: (t) => <When at={t.first} />,
            },
            {
              key: "last",
              head: "Last",
              right: true,
              roomy: true,
              sort: (t) => t.last,
              cell: (t) => <When at={t.last} />,
            },
            {
              key: "do",
              head: <span className="sr">Do</span>,
              right: true,
              cell: (t) =>
                ways(
                  { event: t.event },
                  `all of ${nameText(t.event)} (${count(t.count)})`,
                  `all of ${nameText(t.event)}`,
                ),
            },
          ]}
        />
      </Section>
      <Section
        title={of === undefined ? "The events" : `The events of ${nameText(of)}`}
        about="In the order in which they came."
      >
        <Group gap="sm" mb="sm">
          <Button
            size="compact-sm"
            variant="subtle"
            onClick={() => choose(there.length === events.length ? [] : events.slice(0, MOST).map((e) => e.id))}
          >
            {there.length === events.length
              ? "Choose none"
              : `Choose the ${count(Math.min(events.length, MOST))} shown`}
          </Button>
          <span className="dim" role="status">
            {there.length === 0 ? "None is chosen" : `${count(there.length)} chosen`}
          </span>
          {ways({ ids: there }, plural(there.length, "chosen event"), "the chosen", there.length === 0)}
          {of !== undefined && (
            <Button
              size="compact-sm"
              variant="subtle"
              onClick={() => void navigate({ search: (old) => ({ ...old, of: undefined }) })}
            >
              Show all types
            </Button>
          )}
        </Group>
        <DataTable
          label="Events in quarantine"
          rows={events}
          id={(e) => String(e.id)}
          columns={[
            {
              key: "choose",
              head: <span className="sr">Choose</span>,
              cell: (e) => (
                <label className="check" style={{ minHeight: 20 }}>
                  <input
                    type="checkbox"
                    style={{ margin: "2px 4px" }}
                    aria-label={`Choose event ${e.id}`}
                    checked={chosen.includes(e.id)}
                    onChange={(x) =>
                      choose(
                        x.currentTarget.checked ? [...there, e.id].slice(0, MOST) : there.filter((id) => id !== e.id),
                      )
                    }
                  />
                </label>
              ),
            },
            { key: "what", head: "Event, and why it is here", wide: true, cell: (e) => <What held={e} /> },
            { key: "at", head: "Came", right: true, cell: (e) => <When at={e.at} /> },
          ]}
        />
        {query.hasNextPage && (
          <Button
            mt="sm"
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            Show more
          </Button>
        )}
      </Section>
    </>
  );
}

function What({ held }: { held: HeldEvent }) {
  const event = held.event as RecentEvent;
  return (
    <>
      <span className="strong">{nameText(event.event)}</span>{" "}
      <span className="mono dim beside id">{whoText(event.who)}</span>
      {held.why.map((why) => (
        <div key={why} className="under">
          <Said>{capital(why)}</Said>
        </div>
      ))}
      <details>
        <summary className="dim">The event</summary>
        <pre className="how mono" tabIndex={0} role="region" aria-label={`Event ${held.id}`}>
          {unturned(pretty(held.event))}
        </pre>
      </details>
    </>
  );
}

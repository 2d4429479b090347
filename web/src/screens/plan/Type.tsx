//! Web: one event type of the plan: what it means, who answers for it, its properties, and what arrives in it that is
//! not planned. Whatever is changed here goes into the draft.
import { Autocomplete, Button, Group, Textarea } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { catalogue, properties } from "../../api/queries";
import type { EventType, PlanView, PlannedProperty, Properties, SeenProperty } from "../../api/types";
import { count, plural } from "../../lib/numbers";
import { own } from "../../lib/own";
import {
  better,
  fromSeen,
  kindOf,
  kindText,
  lintOf,
  markOf,
  ofEvent,
  reserved,
  same,
  seenText,
  shareText,
  withEvent,
} from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { DataTable, type Column } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Empty, Loaded, Said } from "../../parts/States";
import { Badge, Note } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { Days } from "./Days";
import { useChecked, type PlanDraft } from "./draft";
import { PropertyDialog } from "./Property";
import { NameDialog } from "./Types";

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
type Row = { name: string; planned: PlannedProperty; seen?: SeenProperty };

export function TypePage({ draft, view, name }: { draft: PlanDraft; view: PlanView; name: string }) {
  const event = own(draft.plan.events, name);
  return event ? (
    <Planned draft={draft} name={name} event={event} />
  ) : (
    <Unplanned draft={draft} view={view} name={name} />
  );
}

/** An event type that the draft has not: it was removed, it arrives unplanned, or nobody knows it. */
function Unplanned({ draft, name }: { draft: PlanDraft; view: PlanView; name: string }) {
  const { here } = useEnvironment();
  const may = useMay("editor");
  const known = useQuery(catalogue(here.key));
  const seen = useQuery(properties(here.key, name));
  const was = own(draft.from.plan.events, name);
  const came = known.data?.events.find((e) => e.event === name);
  const able = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };
  if (was)
    return (
      <Empty
        title={`${nameText(name)} is removed in your draft`}
        why="It is in the plan until the draft is saved or approved."
      >
        <Button variant="default" {...able} onClick={() => draft.set(withEvent(draft.plan, name, was))}>
          Put it back
        </Button>
      </Empty>
    );
  if (reserved(name))
    return (
      <Empty
        title={`${nameText(name)} is not planned`}
        why="Names that begin with $ or [ are those that SDKs give to what they collect by themselves: they are neither planned nor judged."
      >
        <Link to="/plan">See the event types</Link>
      </Empty>
    );
  return (
    <Empty
      title={`${nameText(name)} is not planned`}
      why={
        came
          ? `${plural(came.count, "event")} of this type came in ${here.name}. Adding it to the plan begins with the properties that the newest have.`
          : `No event of this type came in ${here.name} yet. Plan it before code sends it.`
      }
    >
      <Button
        {...able}
        disabled={!may.allowed || (came !== undefined && !seen.data)}
        onClick={() => draft.set(withEvent(draft.plan, name, came ? fromSeen(seen.data?.properties ?? []) : {}))}
      >
        Add it to the draft
      </Button>
    </Empty>
  );
}

function Planned({ draft, name, event }: { draft: PlanDraft; name: string; event: EventType }) {
  const { property: open } = useSearch({ from: "/inside/plan" });
  const navigate = useNavigate({ from: "/plan" });
  const { here } = useEnvironment();
  const may = useMay("editor");
  const [adding, setAdding] = useState<SeenProperty | "new" | null>(null);
  const [renaming, setRenaming] = useState(false);
  const seen = useQuery(properties(here.key, name));
  const { checked, refused } = useChecked(draft.plan);
  const warnings = checked?.warnings ?? [];
  const set = (part: Partial<EventType>) => draft.set(withEvent(draft.plan, name, { ...event, ...part }));
  const owners = [...new Set(Object.values(draft.plan.events).flatMap((e) => e.owner ?? []))].sort();
  const planned = event.properties ?? {};
  const rows: Row[] = Object.entries(planned)
    .map(([key, one]) => ({ name: key, planned: one, seen: seen.data?.properties.find((p) => p.property === key) }))
    .sort((a, b) => a.name.localeCompare(b.name));
  const goTo = (property?: string) => void navigate({ search: (old) => ({ ...old, property }), replace: true });
  const lint = lintOf(warnings, name);
  const wished = better(lint);
  const able = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };
  const opened = open === undefined ? undefined : own(planned, open);
  return (
    <>
      {lint && (
        <div style={{ marginBottom: 16 }}>
          <Note tone="warn">
            <p>
              <Said>{`The ${lint.message}: ${lint.hint}.`}</Said>
            </p>
            {wished && (
              <Button
                size="compact-sm"
                variant="default"
                mt={6}
                {...able}
                disabled={!may.allowed || own(draft.plan.events, wished) !== undefined}
                onClick={() => {
                  draft.set(withEvent(draft.plan, wished, event, name));
                  void navigate({ search: (old) => ({ ...old, event: wished }), replace: true });
                }}
              >
                Rename to “{unturned(wished)}”
              </Button>
            )}
          </Note>
        </div>
      )}
      {refused && (
        <div style={{ marginBottom: 16 }}>
          <Note tone="bad">
            <p className="strong">
              <Said>{`The draft cannot be saved: ${refused.message}`}</Said>
            </p>
            <p className="hint">
              <Said>{refused.hint}</Said>
            </p>
          </Note>
        </div>
      )}
      <fieldset className="bare form" disabled={!may.allowed} title={may.allowed ? undefined : may.reason}>
        <Textarea
          label="Description"
          description="When it is sent, and what it means."
          autosize
          minRows={2}
          value={event.description ?? ""}
          onChange={(e) => set({ description: e.currentTarget.value })}
        />
        <Autocomplete
          label="Owner"
          description="The team that answers for it."
          maw={320}
          data={owners}
          value={event.owner ?? ""}
          error={
            event.owner && !KEY.test(event.owner) ? "The key of a team: letters, digits, “.”, “_” and “-”" : undefined
          }
          onChange={(owner) => set({ owner: owner || null })}
        />
        <Days
          label="Kept for"
          description="How long its events stay after they were received, in each environment."
          otherwise="as long as the environment says"
          value={event.retention_days ?? null}
          onChange={(retention_days) => set({ retention_days })}
        />
      </fieldset>
      <Section
        title={<span style={{ display: "block", marginTop: 24 }}>{plural(rows.length, "property", "properties")}</span>}
        about={`Inside of objects nothing is planned; a property that is null is missing.${
          seen.data?.looked_at
            ? ` Seen: in the newest ${plural(seen.data.looked_at, "event")} of this type in ${here.name}.`
            : ""
        }`}
      >
        {rows.length > 0 && (
          <DataTable
            label={`Properties of ${nameText(name)}`}
            rows={rows}
            id={(r) => r.name}
            columns={columnsOf(draft, name, warnings, seen.data)}
            order={{ key: "name", down: false }}
            onOpen={(r) => goTo(r.name)}
          />
        )}
        <Group mt="sm">
          <Button
            size="xs"
            variant="default"
            {...able}
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => setAdding("new")}
          >
            Add a property
          </Button>
        </Group>
      </Section>
      <Loaded query={seen} lines={2}>
        {(found) => {
          const more = ofEvent(found.properties).filter((p) => !own(planned, p.property));
          return more.length === 0 ? null : (
            <Section
              title={`Arriving in ${here.name}, and not planned`}
              about={`Of the newest ${plural(found.looked_at, "event")} of this type.`}
            >
              <DataTable
                label={`Properties of ${nameText(name)} that are not planned`}
                rows={more}
                id={(p) => p.property}
                columns={[
                  {
                    key: "name",
                    head: "Property",
                    wide: true,
                    sort: (p) => p.property,
                    cell: (p) => (
                      <>
                        <span className="mono key" title={unturned(p.property)}>
                          {nameText(p.property)}
                        </span>
                        <div className="under">{seenText(p)}</div>
                      </>
                    ),
                  },
                  {
                    key: "share",
                    head: "In",
                    right: true,
                    sort: (p) => p.count,
                    cell: (p) => shareText(p.count, found.looked_at),
                  },
                  {
                    key: "add",
                    head: <span className="sr">Add</span>,
                    right: true,
                    cell: (p) => (
                      <Button
                        size="compact-sm"
                        variant="default"
                        {...able}
                        aria-label={`Plan it: ${nameText(p.property)}`}
                        onClick={() => setAdding(p)}
                      >
                        Plan it
                      </Button>
                    ),
                  },
                ]}
              />
            </Section>
          );
        }}
      </Loaded>
      <Section
        title="Name"
        about="Another name is another event type: code that sends the old one sends what is not planned."
      >
        <Group gap="sm">
          <Button variant="default" {...able} onClick={() => setRenaming(true)}>
            Rename
          </Button>
          <Button
            variant="default"
            {...able}
            onClick={() => {
              draft.set(withEvent(draft.plan, name, null));
              void navigate({ search: (old) => ({ env: old.env }) });
            }}
          >
            Remove from the plan
          </Button>
        </Group>
      </Section>
      {renaming && (
        <NameDialog
          draft={draft}
          was={name}
          close={(to) => {
            setRenaming(false);
            if (to) void navigate({ search: (old) => ({ ...old, event: to }), replace: true });
          }}
        />
      )}
      {adding !== null && (
        <PropertyDialog
          draft={draft}
          event={name}
          start={
            adding === "new"
              ? { name: "", planned: { type: "string" } }
              : { name: adding.property, planned: { type: kindOf(adding) }, seen: adding }
          }
          close={() => setAdding(null)}
        />
      )}
      {open !== undefined && opened && (
        <PropertyDialog
          key={open}
          draft={draft}
          event={name}
          was={open}
          start={{ name: open, planned: opened, seen: seen.data?.properties.find((p) => p.property === open) }}
          close={() => goTo(undefined)}
        />
      )}
    </>
  );
}

function columnsOf(
  draft: PlanDraft,
  event: string,
  warnings: PlanView["warnings"],
  found: Properties | undefined,
): Column<Row>[] {
  const was = own(draft.from.plan.events, event);
  const fresh = markOf(draft.from.plan, draft.plan, event) === "new";
  return [
    {
      key: "name",
      head: "Property",
      wide: true,
      sort: (r) => r.name.toLowerCase(),
      cell: (r) => {
        const lint = lintOf(warnings, event, r.name);
        const old = own(was?.properties, r.name);
        const changed = old !== undefined && !same(old, r.planned);
        return (
          <>
            <Link to="/plan" search={(s) => ({ ...s, property: r.name })} replace className="key mono">
              {nameText(r.name)}
            </Link>{" "}
            {!fresh &&
              (old === undefined ? (
                <Badge tone="accent">new in the draft</Badge>
              ) : changed ? (
                <Badge tone="accent">changed in the draft</Badge>
              ) : null)}
            {r.planned.description && <div className="under">{unturned(r.planned.description)}</div>}
            <div className="under cramped">
              {kindText(r.planned)}
              {r.planned.personal && ", personal"}
            </div>
            {lint && (
              <div className="under">
                <Said>{`${lint.message}; ${lint.hint}`}</Said>
              </div>
            )}
          </>
        );
      },
    },
    {
      key: "type",
      head: "Holds",
      roomy: true,
      sort: (r) => r.planned.type,
      cell: (r) => <div className="said">{kindText(r.planned)}</div>,
    },
    {
      key: "required",
      head: "Required",
      sort: (r) => (r.planned.required ? 0 : 1),
      cell: (r) => (r.planned.required ? "required" : <span className="dim">optional</span>),
    },
    {
      key: "personal",
      head: "Personal",
      roomy: true,
      sort: (r) => (r.planned.personal ? 0 : 1),
      cell: (r) => (r.planned.personal ? <Badge tone="warn">personal</Badge> : <span className="dim">no</span>),
    },
    {
      key: "seen",
      // A share of a sample: what is rare may be in older events.
      head: found?.looked_at ? `Of the newest ${count(found.looked_at)}` : "Seen",
      right: true,
      roomy: true,
      sort: (r) => r.seen?.count ?? 0,
      cell: (r) =>
        !found ? (
          ""
        ) : r.seen ? (
          <span title={`${count(r.seen.count)} of ${count(found.looked_at)}`}>
            {shareText(r.seen.count, found.looked_at)}
          </span>
        ) : (
          <span className="dim">{found.looked_at ? "none" : "no event yet"}</span>
        ),
    },
  ];
}

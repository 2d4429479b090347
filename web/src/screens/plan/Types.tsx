//! Web: the event types of the plan, with what a draft makes of them, and below them what arrives and is not planned.
import { Button, Group, Modal, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { catalogue, properties, violations } from "../../api/queries";
import type { Answer, PlanView } from "../../api/types";
import { count, plural } from "../../lib/numbers";
import { own } from "../../lib/own";
import { better, fromSeen, lintOf, markOf, reserved, withEvent, type Mark } from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { DataTable, type Column } from "../../parts/DataTable";
import { SearchInput } from "../../parts/SearchInput";
import { useFocusBack } from "../../parts/focus";
import { Section } from "../../parts/Page";
import { Bones, Empty, Failed, Loaded, Said, Unread } from "../../parts/States";
import { Badge, When } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { useChecked, type PlanDraft } from "./draft";

type Seen = Answer<"/api/events", "get">["events"][number];
type Row = {
  name: string;
  mark: Mark;
  description: string;
  owner: string | null;
  properties: number;
  seen?: Seen;
  /** None where it could not be read. */
  wrong?: number;
};

export function MarkBadge({ mark }: { mark: Mark }) {
  return mark === null ? null : (
    <Badge tone={mark === "removed" ? "warn" : "accent"}>
      {mark === "new" ? "new in the draft" : mark === "changed" ? "changed in the draft" : "removed in the draft"}
    </Badge>
  );
}

export function Types({ draft, view }: { draft: PlanDraft; view: PlanView }) {
  const { q = "" } = useSearch({ from: "/inside/plan" });
  const navigate = useNavigate({ from: "/plan" });
  const { here } = useEnvironment();
  const seen = useQuery(catalogue(here.key));
  const judged = useQuery(violations(here.key));
  const wrong = judged.data?.violations;
  const names = [...new Set([...Object.keys(draft.from.plan.events), ...Object.keys(draft.plan.events)])].sort();
  const rows: Row[] = names.map((name) => {
    const event = own(draft.plan.events, name) ?? own(draft.from.plan.events, name);
    return {
      name,
      mark: markOf(draft.from.plan, draft.plan, name),
      description: event?.description ?? "",
      owner: event?.owner ?? null,
      properties: Object.keys(event?.properties ?? {}).length,
      seen: seen.data?.events.find((e) => e.event === name),
      wrong: wrong?.filter((v) => v.event === name).reduce((sum, v) => sum + v.count, 0),
    };
  });
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = rows.filter((r) => {
    const hay = [r.name, r.description, r.owner ?? ""].join(" ").toLowerCase();
    return words.every((w) => hay.includes(w));
  });
  const columns: Column<Row>[] = [
    {
      key: "name",
      head: "Event type",
      wide: true,
      sort: (r) => r.name.toLowerCase(),
      cell: (r) => {
        const lint = lintOf(view.warnings, r.name);
        return (
          <>
            <Link to="/plan" search={(old) => ({ env: old.env, event: r.name })} className="key">
              {r.mark === "removed" ? <s>{nameText(r.name)}</s> : nameText(r.name)}
            </Link>{" "}
            <MarkBadge mark={r.mark} />
            {r.description && <div className="under">{unturned(r.description)}</div>}
            {lint && r.mark !== "removed" && (
              <div className="under">
                <Said>{`${lint.message}; ${lint.hint}`}</Said>
              </div>
            )}
          </>
        );
      },
    },
    {
      key: "owner",
      head: "Owner",
      roomy: true,
      sort: (r) => r.owner,
      cell: (r) => r.owner ?? <span className="dim">nobody</span>,
    },
    {
      key: "properties",
      head: "Properties",
      right: true,
      roomy: true,
      sort: (r) => r.properties,
      cell: (r) => count(r.properties),
    },
    {
      key: "seen",
      head: `Came in ${here.name}`,
      right: true,
      sort: (r) => r.seen?.count ?? 0,
      cell: (r) =>
        !seen.data ? (
          ""
        ) : r.seen ? (
          <>
            {count(r.seen.count)}
            <div className="under">
              <When at={r.seen.last} />
            </div>
          </>
        ) : (
          <span className="dim">never</span>
        ),
    },
    {
      key: "wrong",
      head: "Violations",
      right: true,
      roomy: true,
      sort: (r) => r.wrong ?? null,
      cell: (r) =>
        r.wrong === undefined ? (
          ""
        ) : r.wrong === 0 ? (
          <span className="dim">none</span>
        ) : (
          <Link
            to="/plan"
            search={(old) => ({ env: old.env, tab: "violations", of: r.name })}
            aria-label={`${plural(r.wrong, "violation")} of ${nameText(r.name)}`}
          >
            {count(r.wrong)}
          </Link>
        ),
    },
  ];
  return (
    <>
      <Unread of={[judged]} />
      {judged.isPending && <Bones lines={1} />}
      {rows.length === 0 ? (
        <Empty
          title="No event type is planned yet"
          why="A tracking plan says which events there are, what they mean, who answers for each and what is in them. While it is empty, no event is judged. Begin with what arrives already, or write down what will."
        />
      ) : (
        <>
          <div className="row" style={{ marginBottom: 12 }}>
            <SearchInput
              label="Search event types"
              placeholder="Search by name, meaning or owner"
              value={q}
              width={320}
              onSearch={(q) => void navigate({ search: (old) => ({ ...old, q }), replace: true })}
            />
          </div>
          {shown.length === 0 ? (
            <Empty title={`No event type matches “${q}”`} why="The search looks at names, descriptions and owners." />
          ) : (
            <DataTable
              label="Planned event types"
              columns={columns}
              rows={shown}
              id={(r) => r.name}
              order={{ key: "name", down: false }}
              onOpen={(r) => void navigate({ search: (old) => ({ env: old.env, event: r.name }) })}
            />
          )}
        </>
      )}
      <Loaded query={seen} lines={3}>
        {({ events }) => <Arriving draft={draft} events={events} />}
      </Loaded>
    </>
  );
}

/** What arrives and is not planned: each goes into the draft with the properties that it has. */
function Arriving({ draft, events }: { draft: PlanDraft; events: Seen[] }) {
  const { here } = useEnvironment();
  const client = useQueryClient();
  const navigate = useNavigate({ from: "/plan" });
  const may = useMay("editor");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const unplanned = events
    .filter((e) => !own(draft.plan.events, e.event) && !own(draft.from.plan.events, e.event) && !reserved(e.event))
    .sort((a, b) => b.count - a.count);
  const add = async (names: string[]) => {
    setBusy(true);
    setError(undefined);
    try {
      let plan = draft.plan;
      for (const name of names) {
        const found = await client.fetchQuery(properties(here.key, name));
        plan = withEvent(plan, name, fromSeen(found.properties));
      }
      draft.set(plan);
      if (names.length === 1) void navigate({ search: (old) => ({ env: old.env, event: names[0] }) });
    } catch (e) {
      setError(ApiError.pressed(e));
    } finally {
      setBusy(false);
    }
  };
  if (unplanned.length === 0) return null;
  const first = unplanned.slice(0, MOST);
  return (
    <Section
      title={`Arriving in ${here.name}, and not planned`}
      about="Adding one puts it into the draft with the properties that its newest events have, none of them required."
    >
      {error !== undefined && <Failed error={error} />}
      {first.length > 1 && (
        <Group mb="sm">
          <Button
            variant="default"
            size="xs"
            loading={busy}
            disabled={!may.allowed}
            title={may.allowed ? undefined : may.reason}
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => void add(first.map((e) => e.event))}
          >
            {unplanned.length > MOST ? `Add the ${MOST} most frequent` : `Add all ${first.length}`}
          </Button>
        </Group>
      )}
      <DataTable
        label="Event types that are not planned"
        rows={unplanned}
        id={(e) => e.event}
        order={{ key: "count", down: true }}
        columns={[
          {
            key: "event",
            head: "Event type",
            wide: true,
            sort: (e) => e.event.toLowerCase(),
            cell: (e) => (
              <Link to="/events" search={(old) => ({ env: old.env, event: e.event })} className="key">
                {nameText(e.event)}
              </Link>
            ),
          },
          { key: "count", head: "Count", right: true, sort: (e) => e.count, cell: (e) => count(e.count) },
          {
            key: "last",
            head: "Last",
            right: true,
            roomy: true,
            sort: (e) => e.last,
            cell: (e) => <When at={e.last} />,
          },
          {
            key: "add",
            head: <span className="sr">Add</span>,
            right: true,
            cell: (e) => (
              <Button
                size="compact-sm"
                variant="default"
                disabled={!may.allowed || busy}
                title={may.allowed ? undefined : may.reason}
                aria-label={`Add ${nameText(e.event)} to the plan`}
                onClick={() => void add([e.event])}
              >
                Add
              </Button>
            ),
          },
        ]}
      />
    </Section>
  );
}

/** So many are added at once: each is a look at its newest events. */
const MOST = 50;

type NameProps = {
  draft: PlanDraft;
  /** The event type that is to have another name; none makes a new one. */
  was?: string;
  close: (name?: string) => void;
};

/** Asks for the name of an event type, with the name that the convention would have. */
export function NameDialog({ draft, was, close }: NameProps) {
  useFocusBack();
  const [typed, setTyped] = useState(was ?? "");
  const name = typed.trim();
  const event = (was !== undefined ? own(draft.plan.events, was) : undefined) ?? {};
  const taken = name !== was && own(draft.plan.events, name) !== undefined;
  const plan = name !== "" && !taken ? withEvent(draft.plan, name, event, was) : null;
  const { checked, refused } = useChecked(plan);
  const suggested = plan ? better(lintOf(checked?.warnings ?? [], name)) : undefined;
  const lint = plan ? lintOf(checked?.warnings ?? [], name) : undefined;
  return (
    <Modal opened onClose={() => close()} title={was === undefined ? "New event type" : `Rename ${nameText(was)}`}>
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          if (!plan || refused) return;
          draft.set(plan);
          close(name);
        }}
      >
        <TextInput
          label="Name"
          description="As code sends it."
          required
          data-autofocus
          placeholder="Order Completed"
          value={typed}
          error={taken ? "There is one of this name" : undefined}
          onChange={(e) => setTyped(e.currentTarget.value)}
        />
        {was !== undefined && (
          <p className="dim plain-p">Code that goes on sending “{unturned(was)}” then sends what is not planned.</p>
        )}
        <Suggestion lint={lint} name={suggested} onTake={setTyped} />
        {plan && refused && <Failed error={refused} />}
        <div className="actions-row">
          <Button type="submit" disabled={!plan || name === was || refused !== undefined}>
            {was === undefined ? "Add to the draft" : "Rename in the draft"}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

/** What the lint says of a name, and the better one to take. */
export function Suggestion({
  lint,
  name,
  onTake,
}: {
  lint?: { message: string; hint: string };
  name?: string;
  onTake: (name: string) => void;
}) {
  if (!lint) return null;
  return (
    <p className="suggestion" role="status">
      <Said>{`The ${lint.message}. `}</Said>
      {name ? (
        <Button size="compact-sm" variant="default" onClick={() => onTake(name)}>
          Write “{unturned(name)}”
        </Button>
      ) : (
        <Said>{lint.hint}</Said>
      )}
    </p>
  );
}

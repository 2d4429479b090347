//! Web: all holdouts: shares of the population that are kept from what is new.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { holdouts } from "../api/queries";
import type { Covers, HoldoutView } from "../api/types";
import { plural, share } from "../lib/numbers";
import { WithArchived } from "../parts/Archive";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Population } from "../parts/Population";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";

/** What a holdout covers, as the end of a sentence. */
export function coversText(covers: Covers): string {
  if (covers.covers === "everything") return "every flag, also those to come";
  if (covers.covers === "team") return `the flags of team ${covers.team}`;
  return covers.flags.length === 0 ? "no flag yet" : covers.flags.join(", ");
}

/** The bar of a holdout, from the one share that is held. */
export function HoldoutBar({ name, held, slim }: { name: string; held: number; slim?: boolean }) {
  return (
    <Population
      label={`Holdout ${name}`}
      slim={slim}
      names={["held"]}
      pieces={held > 0 ? [{ from: 0, to: held, name: "held" }] : []}
      rest="not held"
    />
  );
}

const COLUMNS: Column<HoldoutView>[] = [
  {
    key: "name",
    head: "Holdout",
    sort: (v) => (v.holdout.name || v.holdout.key).toLowerCase(),
    cell: (v) => (
      <div className="named">
        <Link to="/holdouts/$holdout" params={{ holdout: v.holdout.key }} className="key">
          {v.holdout.name || v.holdout.key}
        </Link>{" "}
        {v.holdout.archived && <Badge tone="off">archived</Badge>}
        <div className="under">{coversText(v.holdout.covers)}</div>
      </div>
    ),
  },
  {
    key: "bar",
    head: "Population",
    wide: true,
    cell: (v) => <HoldoutBar name={v.holdout.key} held={v.holdout.share} slim />,
  },
  { key: "share", head: "Held", right: true, sort: (v) => v.holdout.share, cell: (v) => share(v.holdout.share) },
  {
    key: "flags",
    head: "Covers",
    right: true,
    roomy: true,
    sort: (v) => v.flags.length,
    cell: (v) => plural(v.flags.length, "flag"),
  },
  {
    key: "changed",
    head: "Changed",
    right: true,
    roomy: true,
    sort: (v) => v.changed,
    cell: (v) => (
      <>
        <When at={v.changed} />
        <div className="under nowrap">{v.changed_by.name}</div>
      </>
    ),
  },
];

export function HoldoutsScreen(): JSX.Element {
  const { archived } = useSearch({ from: "/inside/holdouts" });
  const query = useQuery(holdouts(archived !== undefined));
  const navigate = useNavigate({ from: "/holdouts" });
  return (
    <Page
      title="Holdouts"
      state={
        query.data
          ? `${plural(query.data.length, "holdout")}. Whoever is held gets the off variant of every flag that it covers.`
          : undefined
      }
      actions={
        <Button component={Link} to="/holdouts/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New holdout
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) => (
          <>
            <WithArchived
              on={archived !== undefined}
              onChange={(on) =>
                void navigate({ search: (old) => ({ ...old, archived: on ? "1" : undefined }), replace: true })
              }
            />
            {list.length === 0 ? (
              <Empty
                title="No holdouts yet"
                why="A holdout keeps a small share of the population from everything that is new, so that the sum of all changes can be measured against those who got none of them."
              >
                <Link to="/holdouts/new">Make the first one</Link>
              </Empty>
            ) : (
              <DataTable
                label="Holdouts"
                columns={COLUMNS}
                rows={list}
                id={(v) => v.holdout.key}
                order={{ key: "name", down: false }}
                onOpen={(v) => void navigate({ to: "/holdouts/$holdout", params: { holdout: v.holdout.key } })}
              />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

//! Web: all segments, groups of users that rules ask for by name.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { segments } from "../api/queries";
import type { SegmentView } from "../api/types";
import { count, plural } from "../lib/numbers";
import { flagsOf, whoIsIn } from "../lib/segments";
import { WithArchived } from "../parts/Archive";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";

const COLUMNS: Column<SegmentView>[] = [
  {
    key: "name",
    head: "Segment",
    wide: true,
    sort: (v) => (v.segment.name || v.segment.key).toLowerCase(),
    cell: (v) => (
      <>
        <Link to="/segments/$segment" params={{ segment: v.segment.key }} className="key">
          {v.segment.name || v.segment.key}
        </Link>
        {v.segment.name !== v.segment.key && <span className="mono dim beside">{v.segment.key}</span>}{" "}
        {v.segment.archived && <Badge tone="off">archived</Badge>}
        <div className="under">{whoIsIn(v)}</div>
      </>
    ),
  },
  {
    key: "included",
    head: "Listed in",
    right: true,
    roomy: true,
    sort: (v) => v.included.count,
    cell: (v) => count(v.included.count),
  },
  {
    key: "excluded",
    head: "Listed out",
    right: true,
    roomy: true,
    sort: (v) => v.excluded.count,
    cell: (v) => count(v.excluded.count),
  },
  {
    key: "used",
    head: "Asked by",
    right: true,
    sort: (v) => flagsOf(v).length,
    cell: (v) => (flagsOf(v).length === 0 ? <span className="dim">no flag</span> : plural(flagsOf(v).length, "flag")),
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

export function SegmentsScreen(): JSX.Element {
  const { archived } = useSearch({ from: "/inside/segments" });
  const query = useQuery(segments(archived !== undefined));
  const navigate = useNavigate({ from: "/segments" });
  return (
    <Page
      title="Segments"
      state={
        query.data ? `${plural(query.data.length, "segment")}. One definition holds for all environments.` : undefined
      }
      actions={
        <Button component={Link} to="/segments/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New segment
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
                title="No segments yet"
                why="A segment is a group of users with a name, such as staff or beta testers: a condition, and lists of ids that are in or out whatever the condition says. Rules of flags ask for it by name, so it is changed in one place."
              >
                <Link to="/segments/new">Define the first one</Link>
              </Empty>
            ) : (
              <DataTable
                label="Segments"
                columns={COLUMNS}
                rows={list}
                id={(v) => v.segment.key}
                order={{ key: "name", down: false }}
                onOpen={(v) => void navigate({ to: "/segments/$segment", params: { segment: v.segment.key } })}
              />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

//! Web: one segment: who is in it, its lists of ids, and who asks for it.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { edit } from "../api/edits";
import { segment } from "../api/queries";
import type { SegmentView } from "../api/types";
import { plural } from "../lib/numbers";
import { flagsOf, whoIsIn } from "../lib/segments";
import { capital } from "../lib/spoken";
import { ago } from "../lib/time";
import { Archive } from "../parts/Archive";
import { ChangeLog } from "../parts/ChangeLog";
import { DataTable } from "../parts/DataTable";
import { Page, Section } from "../parts/Page";
import { absent, Loaded } from "../parts/States";
import { Badge } from "../parts/Words";
import { NoSuch } from "./Missing";
import { SegmentForm } from "./segment/Form";
import { IdsTab } from "./segment/Ids";

const TABS = [
  { key: "definition", label: "Definition" },
  { key: "ids", label: "Lists of ids" },
  { key: "changes", label: "Changes" },
];

export function NewSegmentScreen(): JSX.Element {
  return (
    <Page
      title="New segment"
      above={{ label: "Segments", to: "/segments" }}
      state="A group of users that rules ask for by name, the same in all environments."
    >
      <SegmentForm />
    </Page>
  );
}

export function SegmentScreen(): JSX.Element {
  const { segment: key } = useParams({ from: "/inside/segments/$segment" });
  const { tab } = useSearch({ from: "/inside/segments/$segment" });
  const query = useQuery(segment(key));
  const view = query.data;
  const open = TABS.find((t) => t.key === tab)?.key ?? "definition";
  if (absent(query)) return <NoSuch what="segment" name={key} error={query.error} />;
  const name = view?.segment.name || key;
  return (
    <Page
      name={name}
      title={
        <>
          {name} {view?.segment.archived && <Badge tone="off">archived</Badge>}
        </>
      }
      code={key}
      above={{ label: "Segments", to: "/segments" }}
      state={view ? `${capital(whoIsIn(view))}. Changed ${ago(view.changed)} by ${view.changed_by.name}.` : undefined}
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ segment: key }} />
      ) : (
        <Loaded query={query}>
          {(v) =>
            open === "ids" ? (
              <IdsTab view={v} />
            ) : (
              <>
                <SegmentForm key={key} view={v} />
                <UsedBy view={v} />
                <Archive
                  what="segment"
                  name={key}
                  archived={Boolean(v.segment.archived)}
                  about="An archived segment is not offered to rules any more. It can be restored."
                  barred={
                    v.used_by.length > 0 ? `${plural(flagsOf(v).length, "flag asks", "flags ask")} for it` : undefined
                  }
                  run={(archived, because) => edit.archiveSegment(key, { archived, ...because })}
                />
              </>
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

function UsedBy({ view }: { view: SegmentView }) {
  return (
    <Section title="Asked by" about="Rules that name it. A change of the segment changes what they match.">
      {view.used_by.length === 0 ? (
        <p className="dim">No rule asks for it yet: in a flag's targeting, add a condition of kind segment.</p>
      ) : (
        <DataTable
          label="Flags that ask for it"
          rows={view.used_by}
          id={(u) => `${u.flag} ${u.environment}`}
          columns={[
            {
              key: "flag",
              head: "Flag",
              wide: true,
              sort: (u) => u.flag,
              cell: (u) => (
                <Link to="/flags/$flag" params={{ flag: u.flag }} search={{ env: u.environment }} className="key">
                  {u.flag}
                </Link>
              ),
            },
            { key: "environment", head: "Environment", sort: (u) => u.environment, cell: (u) => u.environment },
            {
              key: "rules",
              head: "Rules",
              right: true,
              cell: (u) => u.rules.map((n) => n + 1).join(", "),
            },
          ]}
        />
      )}
    </Section>
  );
}

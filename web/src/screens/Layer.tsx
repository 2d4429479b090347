//! Web: one layer: which flag owns which part of the population, and what is free.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { layer } from "../api/queries";
import type { LayerView } from "../api/types";
import { plural, share } from "../lib/numbers";
import { ago } from "../lib/time";
import { Archive } from "../parts/Archive";
import { ChangeLog } from "../parts/ChangeLog";
import { DataTable } from "../parts/DataTable";
import { Page, Section } from "../parts/Page";
import { absent, Loaded } from "../parts/States";
import { Badge } from "../parts/Words";
import { useMay } from "../shell/may";
import { Allot } from "./layer/Allot";
import { LayerBar } from "./Layers";
import { NoSuch } from "./Missing";

const TABS = [
  { key: "parts", label: "Parts" },
  { key: "changes", label: "Changes" },
];

export function LayerScreen(): JSX.Element {
  const { layer: key } = useParams({ from: "/inside/layers/$layer" });
  const { tab } = useSearch({ from: "/inside/layers/$layer" });
  const query = useQuery(layer(key));
  const may = useMay("editor");
  // The flag whose part is changed; an empty text for one that is still to be picked.
  const [allotting, setAllotting] = useState<string | null>(null);
  const view = query.data;
  const open = tab === "changes" ? "changes" : "parts";
  if (absent(query)) return <NoSuch what="layer" name={key} error={query.error} />;
  const name = view?.layer.name || key;
  const able = may.allowed && !view?.layer.archived;
  return (
    <Page
      name={name}
      title={
        <>
          {name} {view?.layer.archived && <Badge tone="off">archived</Badge>}
        </>
      }
      code={key}
      above={{ label: "Layers", to: "/layers" }}
      state={
        view
          ? `Divides by ${view.layer.unit}: ${plural(view.parts.length, "flag")}, ${share(view.free)} free. Changed ${ago(view.changed)} by ${view.changed_by.name}.`
          : undefined
      }
      actions={
        view && (
          <Button disabled={!able} title={may.allowed ? undefined : may.reason} onClick={() => setAllotting("")}>
            Give a flag a part
          </Button>
        )
      }
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ layer: key }} />
      ) : (
        <Loaded query={query}>
          {(v) => (
            <>
              <Section
                title="The population"
                about="Whoever stands in a flag's part can get it; everybody else gets its off variant. Growth takes what is free, so nobody leaves a part because another one grows."
              >
                <LayerBar view={v} />
              </Section>
              <Section title="Flags in it">
                {v.parts.length === 0 ? (
                  <p className="dim">No flag is in it yet, so it keeps nobody out of anything.</p>
                ) : (
                  <Parts view={v} able={able} onAllot={setAllotting} />
                )}
              </Section>
              <Archive
                what="layer"
                name={key}
                archived={Boolean(v.layer.archived)}
                about="An archived layer is not offered to flags. It can be restored."
                barred={v.parts.length > 0 ? `${plural(v.parts.length, "flag is", "flags are")} in it` : undefined}
                run={(archived, because) => edit.archiveLayer(key, { archived, ...because })}
              />
              {allotting !== null && <Allot view={v} flag={allotting} close={() => setAllotting(null)} />}
            </>
          )}
        </Loaded>
      )}
    </Page>
  );
}

function Parts({ view, able, onAllot }: { view: LayerView; able: boolean; onAllot: (flag: string) => void }) {
  return (
    <DataTable
      label="Flags in the layer"
      rows={view.parts}
      id={(p) => p.flag}
      columns={[
        {
          key: "flag",
          head: "Flag",
          wide: true,
          sort: (p) => p.flag,
          cell: (p) => (
            <>
              <Link to="/flags/$flag" params={{ flag: p.flag }} className="key">
                {p.flag}
              </Link>
              {p.share === 0 && <div className="under">has no part, so everybody gets its off variant</div>}
              {!p.inside && <div className="under">is not in the layer: its part is kept for it</div>}
            </>
          ),
        },
        {
          key: "stretches",
          head: "Stands at",
          right: true,
          roomy: true,
          cell: (p) =>
            view.layer.ranges
              .filter((r) => r.flag === p.flag)
              .map((r) => `${share(r.from)} to ${share(r.to)}`)
              .join(", ") || <span className="dim">nowhere</span>,
        },
        { key: "share", head: "Share", right: true, sort: (p) => p.share, cell: (p) => share(p.share) },
        {
          key: "change",
          head: <span className="sr">Change</span>,
          right: true,
          cell: (p) => (
            <Button
              size="compact-sm"
              variant="subtle"
              disabled={!able}
              aria-label={`Change the part of ${p.flag}`}
              onClick={() => onAllot(p.flag)}
            >
              Change
            </Button>
          ),
        },
      ]}
    />
  );
}

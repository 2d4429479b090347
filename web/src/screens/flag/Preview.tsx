//! Web: what a draft would do to the people who were here last: how many get each variant now and with the change, and
//! how many move. Asked while one writes, once one pauses.
import { Button, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import type { PreviewAnswer } from "../../api/types";
import type { Draft } from "../../lib/serve";
import { counted, movesText, previewText, type Counted } from "../../lib/preview";
import { because } from "../../lib/reasons";
import { count, plural } from "../../lib/numbers";
import { DataTable } from "../../parts/DataTable";
import { Bones, Failed } from "../../parts/States";
import { useSeries } from "../../parts/Words";
import { PAUSE, refuses } from "./rehearsal";

/** What the draft would do, as far as it was asked. Of a flag that is off it is what would be once it is on. */
export function usePreview({ flag, environment, draft, enabled, off }: Asked): UseQueryResult<PreviewAnswer> {
  const [settled] = useDebouncedValue(JSON.stringify(draft), PAUSE);
  return useQuery({
    queryKey: ["preview", flag, environment, off, settled],
    enabled: enabled && settled === JSON.stringify(draft),
    staleTime: 30_000,
    gcTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: () => edit.preview(flag, { environment, ...(JSON.parse(settled) as Draft), ...(off ? { on: true } : {}) }),
  });
}

type Asked = { flag: string; environment: string; draft: Draft; enabled: boolean; off: boolean };
type Props = {
  query: UseQueryResult<PreviewAnswer>;
  variants: string[];
  changed: boolean;
  off: boolean;
  fault: string | null;
};

export function Preview({ query, variants, changed, off, fault }: Props) {
  const [table, setTable] = useState(false);
  const { data, error } = query;
  const wrong = refuses(error);
  const stale = fault !== null || query.isPlaceholderData || (wrong && data !== undefined);
  const rows = data ? counted(variants, data) : [];
  return (
    <aside className="preview" aria-label="Preview">
      <div className="row">
        <Title order={2} className="grow">
          Preview
        </Title>
        {rows.length > 0 && data && data.users > 0 && (
          <Button size="compact-sm" variant="subtle" aria-pressed={table} onClick={() => setTable(!table)}>
            Table
          </Button>
        )}
      </div>
      {error && !wrong ? (
        <Failed error={error} retry={() => void query.refetch()} since={query.errorUpdatedAt} />
      ) : data === undefined ? (
        fault !== null ? (
          <p className="dim">It is counted as soon as the draft is complete: {fault}.</p>
        ) : wrong ? (
          <p className="dim">It is counted as soon as the server takes the draft.</p>
        ) : (
          <Bones lines={4} />
        )
      ) : data.users === 0 ? (
        <p className="dim">
          Nobody has been seen here yet. Once events come in, the preview evaluates the 200 most recent users, before
          and after the change.
        </p>
      ) : (
        <div data-stale={stale ? "" : undefined}>
          <p className="say" role="status">
            {changed || off
              ? previewText(data, off)
              : `What ${plural(data.users, "recent user gets", "most recent users get")} now.`}
          </p>
          {data.note && <p className="dim">Note: {data.note}.</p>}
          {table ? (
            <Twin rows={rows} users={data.users} />
          ) : (
            <Bars rows={rows} users={data.users} changed={changed || off} />
          )}
          {(changed || off) && data.moves.length > 0 && <Lines label="Who moves" lines={movesText(data)} />}
          <Lines
            label={changed || off ? "Why they would get it" : "Why they get it"}
            lines={data.then_because.map((b) => `${count(b.users)} get ${b.variant}: ${because(b.reason)}`)}
          />
          <p className="dim small">
            {stale && <>Of the last complete draft. </>}
            Evaluated with what their newest events say of them; nothing is recorded.
          </p>
        </div>
      )}
    </aside>
  );
}

/** The first of some lines; the rest on demand. */
function Lines({ label, lines }: { label: string; lines: string[] }) {
  if (lines.length === 0) return null;
  return (
    <details className="lines" open={label === "Who moves"}>
      <summary>{label}</summary>
      <ul className="plain">
        {lines.slice(0, 8).map((line) => (
          <li key={line}>{line}</li>
        ))}
        {lines.length > 8 && <li className="dim">and {count(lines.length - 8)} more</li>}
      </ul>
    </details>
  );
}

function Bars({ rows, users, changed }: { rows: Counted[]; users: number; changed: boolean }) {
  const series = useSeries();
  const said = rows.map((r) => `${r.variant} ${count(r.now)}${changed ? `, then ${count(r.then)}` : ""}`).join("; ");
  const wide = (n: number) => `${(100 * n) / users}%`;
  return (
    <div role="img" aria-label={`Users per variant: ${said}`}>
      {rows.map((r, i) => (
        <div key={r.variant} className="counts">
          <div className="row">
            <span className="strong grow">{r.variant}</span>
            <span className="num">
              {changed && r.then !== r.now ? (
                <>
                  <span className="dim">{count(r.now)} →</span> <b>{count(r.then)}</b>
                </>
              ) : (
                <b>{count(r.then)}</b>
              )}
            </span>
          </div>
          <div className="track">
            <span style={{ width: wide(r.then), background: series(i) }} />
            {changed && r.then !== r.now && <i style={{ left: wide(r.now) }} />}
          </div>
        </div>
      ))}
    </div>
  );
}

function Twin({ rows, users }: { rows: Counted[]; users: number }) {
  const part = (n: number) => (
    <>
      {count(n)} <span className="dim">{Math.round((100 * n) / users)}%</span>
    </>
  );
  return (
    <DataTable
      label="Users per variant"
      rows={rows}
      id={(r) => r.variant}
      columns={[
        { key: "variant", head: "Variant", cell: (r) => <span className="strong">{r.variant}</span> },
        { key: "now", head: "Now", right: true, sort: (r) => r.now, cell: (r) => part(r.now) },
        { key: "then", head: "Then", right: true, sort: (r) => r.then, cell: (r) => part(r.then) },
      ]}
    />
  );
}

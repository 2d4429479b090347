//! Web: the population from 0 to 100% as one bar, with who has which stretch of it, and its table twin.
import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";

import { share } from "../lib/numbers";
import { DataTable } from "./DataTable";
import { useSeries } from "./Words";

/** A stretch in basis points; without a name it belongs to nobody. */
export type Piece = { from: number; to: number; name: string | null };

type Props = {
  label: string;
  pieces: Piece[];
  /** The names in the order of their colours. */
  names: string[];
  /** What is said of the stretches that belong to nobody. */
  rest: string;
  /** A row of a list has no legend and no table of its own. */
  slim?: boolean;
  twin?: boolean;
  link?: (name: string) => ReactNode;
};

/** The stretches with what is between them. */
export function whole(pieces: Piece[]): Piece[] {
  const all: Piece[] = [];
  let at = 0;
  for (const piece of [...pieces].sort((a, b) => a.from - b.from)) {
    if (piece.from > at) all.push({ from: at, to: piece.from, name: null });
    all.push(piece);
    at = piece.to;
  }
  if (at < 10_000) all.push({ from: at, to: 10_000, name: null });
  return all;
}

/** Where the first stretch of a name begins; those without one come last. */
function firstOf(all: Piece[], name: string): number {
  return all.find((p) => p.name === name)?.from ?? 10_000;
}

export function Population({ label, pieces, names, rest, slim, twin = !slim, link }: Props) {
  const [table, setTable] = useState(false);
  const series = useSeries();
  const all = whole(pieces);
  const color = (name: string | null) => (name === null ? undefined : series(Math.max(0, names.indexOf(name))));
  const points = (name: string | null) => all.filter((p) => p.name === name).reduce((n, p) => n + p.to - p.from, 0);
  // A legend reads as its bar does; colours stay with their names.
  const placed = [...names].sort((a, b) => firstOf(all, a) - firstOf(all, b));
  const said = [...placed.map((n) => `${n} ${share(points(n))}`), `${rest} ${share(points(null))}`].join(", ");
  return (
    <div className="population" data-slim={slim ? "" : undefined}>
      <div className="shares" role="img" aria-label={`${label}: ${said}`}>
        {all.map((p) => (
          <span
            key={p.from}
            className={p.name === null ? "free" : undefined}
            title={`${p.name ?? rest}: ${share(p.from)} to ${share(p.to)}`}
            style={{ flex: `${p.to - p.from} 0 0`, background: color(p.name) }}
          />
        ))}
      </div>
      {!slim && (
        <>
          <div className="scale" aria-hidden>
            <span>0%</span>
            <span>50%</span>
            <span>100%</span>
          </div>
          <div className="row legend-row">
            <ul className="legend grow">
              {placed.map((name) => (
                <li key={name}>
                  <i style={{ background: color(name) }} />
                  <span className="strong">{link ? link(name) : name}</span> {share(points(name))}
                </li>
              ))}
              {points(null) > 0 && (
                <li>
                  <i className="free" />
                  <span>{rest}</span> {share(points(null))}
                </li>
              )}
            </ul>
            {twin && (
              <Button size="compact-sm" variant="subtle" aria-pressed={table} onClick={() => setTable(!table)}>
                Table
              </Button>
            )}
          </div>
          {table && (
            <DataTable
              label={`${label} as a table`}
              rows={all}
              id={(p) => String(p.from)}
              columns={[
                {
                  key: "name",
                  head: "Belongs to",
                  wide: true,
                  cell: (p) => (p.name === null ? <span className="dim">{rest}</span> : p.name),
                },
                { key: "from", head: "From", right: true, sort: (p) => p.from, cell: (p) => share(p.from) },
                { key: "to", head: "To", right: true, sort: (p) => p.to, cell: (p) => share(p.to) },
                {
                  key: "share",
                  head: "Share",
                  right: true,
                  sort: (p) => p.to - p.from,
                  cell: (p) => share(p.to - p.from),
                },
              ]}
            />
          )}
        </>
      )}
    </div>
  );
}

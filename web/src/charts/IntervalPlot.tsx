//! Web: effects as intervals on one axis. Zero and the margin are drawn, each interval is a bar with
//! its point, and the effect that was planned for is a faint tick.
import { useElementSize } from "@mantine/hooks";
import { useMemo } from "react";

import { decimals, effect, factor, type Scale, tick } from "../lib/numbers";
import type { Tone } from "../parts/Words";

/** One comparison. An end that is `null` is open: a one-sided bound. */
export type Effect = {
  name: string;
  estimate: number;
  low: number | null;
  high: number | null;
  tone: Tone;
  word: string;
};

type Props = {
  effects: Effect[];
  scale: Scale;
  planned?: number | null;
  margin?: number | null;
  /** Drawn without colour or a side that is called better: the look is not the one that decides. */
  quiet?: boolean;
  label: string;
  better: "higher" | "lower";
};

/** Room around the axis in px: beside it where there is some, above each bar on a narrow page. */
const WIDE = { left: 132, right: 268, row: 44, drop: 22 };
const NARROW = { left: 12, right: 12, row: 76, drop: 56 };
const [TOP, FOOT] = [20, 42];
const COLORS: Record<Tone, string> = {
  good: "var(--good)",
  bad: "var(--bad)",
  warn: "var(--warn)",
  accent: "var(--accent)",
  plain: "var(--mantine-color-dimmed)",
  off: "var(--mantine-color-dimmed)",
  production: "var(--mantine-color-dimmed)",
};

/** Round positions between two numbers. */
export function ticks(low: number, high: number, about = 6): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [0];
  const raw = span / about;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = size * ([1, 2, 5, 10].find((s) => s * size >= raw) ?? 10);
  const all: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) all.push(i * step);
  return all;
}

/** An effect with its interval, or with the one bound that it has. */
export function said(e: Effect, scale: Scale): string {
  if (e.low !== null && e.high !== null) return effect(e.estimate, e.low, e.high, scale);
  const bound = e.high ?? e.low ?? e.estimate;
  const digits = decimals(Math.abs(bound - e.estimate) * factor(scale));
  return `${tick(e.estimate, scale, digits)} (${e.high === null ? "at least" : "at most"} ${tick(bound, scale, digits)})`;
}

export function IntervalPlot({ effects, scale, planned, margin, quiet = false, label, better }: Props) {
  const { ref, width: measured } = useElementSize();
  const width = Math.max(280, Math.round(measured) || 900);
  const narrow = width < 680;
  const room = narrow ? NARROW : WIDE;
  const { x, marks, digits, low, high } = useMemo(() => {
    const by = factor(scale);
    const points = [
      0,
      ...effects.flatMap((e) => [e.low, e.estimate, e.high].filter((v) => v !== null)),
      ...(planned ? [planned, -planned] : []),
      ...(margin ? [margin] : []),
    ].map((v) => v * by);
    const [min, max] = [Math.min(...points), Math.max(...points)];
    const pad = (max - min || 1) * 0.08;
    const [low, high] = [min - pad, max + pad];
    const marks = ticks(low, high, (width - room.left - room.right) / 90);
    const step = (marks[1] ?? 1) - (marks[0] ?? 0);
    return {
      x: (value: number) => room.left + ((value * by - low) / (high - low)) * (width - room.left - room.right),
      marks: marks.map((m) => m / by),
      digits: Math.max(0, -Math.floor(Math.log10(Math.abs(step) || 1) + 1e-9)),
      low: low / by,
      high: high / by,
    };
  }, [effects, scale, planned, margin, width, room]);
  const bottom = TOP + effects.length * room.row;
  const notes = [
    ...(narrow && margin ? [{ text: `dashed: margin, ${tick(margin, scale, digits)}`, tone: "var(--bad)" }] : []),
    ...(planned
      ? [{ text: `grey ticks: effect planned for, ${tick(planned, scale, digits + 1).replace("+", "±")}`, tone: null }]
      : []),
  ];
  const height = bottom + FOOT + (narrow ? 18 * notes.length : 0);
  // On a narrow page the words stand above each bar: no line goes through them.
  const spans = narrow
    ? effects.map((_, i) => ({ from: TOP + i * room.row + room.drop - 14, to: TOP + (i + 1) * room.row }))
    : [{ from: TOP - 6, to: bottom }];
  return (
    <figure style={{ margin: 0, minWidth: 0, overflow: "hidden" }} ref={ref}>
      <svg
        className="plot"
        width={width}
        height={height}
        style={{ display: "block" }}
        role="img"
        aria-label={`${label}: ${effects.map((e) => `${e.name} ${said(e, scale)}, ${e.word}`).join("; ")}`}
      >
        {marks.map((m) => (
          <g key={m}>
            {spans.map(({ from, to }) => (
              <line key={from} x1={x(m)} x2={x(m)} y1={from} y2={to} stroke="var(--line)" />
            ))}
            <text className="axis" x={x(m)} y={bottom + 16} textAnchor="middle">
              {tick(m, scale, digits)}
            </text>
          </g>
        ))}
        {spans.map(({ from, to }) => (
          <line
            key={from}
            x1={x(0)}
            x2={x(0)}
            y1={narrow ? from : from - 4}
            y2={to + 2}
            stroke="var(--mantine-color-text)"
            strokeWidth={1.25}
          />
        ))}
        {margin ? (
          <g>
            {spans.map(({ from, to }) => (
              <line
                key={from}
                x1={x(margin)}
                x2={x(margin)}
                y1={from}
                y2={to}
                stroke="var(--bad)"
                strokeDasharray="4 3"
              />
            ))}
            {!narrow && (
              <text className="axis" x={x(margin)} y={TOP - 9} textAnchor="middle" style={{ fill: "var(--bad)" }}>
                margin
              </text>
            )}
          </g>
        ) : null}
        {effects.map((e, i) => {
          const y = TOP + i * room.row + room.drop;
          const [from, to] = [e.low ?? low, e.high ?? high];
          return (
            <g key={e.name}>
              <title>{`${e.name}: ${e.estimate * factor(scale)} (${e.low === null ? "open" : e.low * factor(scale)} to ${e.high === null ? "open" : e.high * factor(scale)})`}</title>
              <text x={0} y={narrow ? y - 38 : y + 4} style={{ fontWeight: 500 }}>
                {e.name}
              </text>
              {planned
                ? [planned, -planned].map((p) => (
                    <line
                      key={p}
                      x1={x(p)}
                      x2={x(p)}
                      y1={y - 9}
                      y2={y + 9}
                      stroke="var(--line-strong)"
                      strokeWidth={2}
                    />
                  ))
                : null}
              <rect
                x={x(from)}
                width={Math.max(2, x(to) - x(from))}
                y={y - 5}
                height={10}
                rx={2}
                fill={COLORS[e.tone]}
                opacity={0.32}
              />
              {[e.low, e.high].map(
                (end) =>
                  end !== null && (
                    <line
                      key={end}
                      x1={x(end)}
                      x2={x(end)}
                      y1={y - 7}
                      y2={y + 7}
                      stroke={COLORS[e.tone]}
                      strokeWidth={1.5}
                    />
                  ),
              )}
              <circle
                cx={x(e.estimate)}
                cy={y}
                r={4.5}
                fill={COLORS[e.tone]}
                stroke="var(--mantine-color-body)"
                strokeWidth={1.5}
              />
              <text
                x={narrow ? width : width - room.right + 20}
                y={narrow ? y - 38 : y - 3}
                textAnchor={narrow ? "end" : "start"}
                style={quiet ? { fill: COLORS.off } : { fontWeight: 500 }}
              >
                {said(e, scale)}
              </text>
              <text
                x={narrow ? width : width - room.right + 20}
                y={narrow ? y - 21 : y + 13}
                textAnchor={narrow ? "end" : "start"}
                style={{ fill: COLORS[e.tone] }}
              >
                {e.word}
              </text>
            </g>
          );
        })}
        <text className="axis" x={Math.min(width - 110, Math.max(110, x(0)))} y={bottom + 34} textAnchor="middle">
          {quiet
            ? "← less than control · more →"
            : better === "higher"
              ? "← worse than control · better →"
              : "← better than control · worse →"}
        </text>
        {notes.map(({ text, tone }, i) => (
          <text
            key={text}
            className="axis"
            x={narrow ? 0 : width - room.right + 20}
            y={narrow ? bottom + 54 + 18 * i : bottom + 16}
            style={tone ? { fill: tone } : undefined}
          >
            {text}
          </text>
        ))}
      </svg>
    </figure>
  );
}

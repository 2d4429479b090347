//! Web: values by day as lines, drawn by ECharts; loaded when a page first draws one. Ends are labelled where
//! there is room, the last day is dashed while it is not over, and changes are marked on the time axis. Arrow keys read out the days.
import { useCallback, type Ref } from "react";

import { count, short } from "../lib/numbers";
import { dateLabel } from "../lib/time";
import { SERIES } from "../theme";
import { Canvas, safe, tooltip, type Look, type Picture } from "./Canvas";
import type { Option } from "./echarts";
import { named, type Mark } from "./marks";

/** One line: a value per date. */
export type Line = { name: string; values: number[] };

type Props = {
  label: string;
  unit: string;
  dates: string[];
  lines: Line[];
  marks?: Mark[];
  /** The first date that is not over. */
  partial?: string | null;
  height?: number;
  ref?: Ref<Picture>;
};

const NONE: Mark[] = [];

export default function Lines({ label, unit, dates, lines, marks = NONE, partial, height = 340, ref }: Props) {
  return (
    <Canvas
      ref={ref}
      height={height}
      label={`${label}. ${lines.length} lines over ${dates.length} days. Arrow keys read the days.`}
      draw={useCallback(
        (look: Look) => option({ unit, dates, lines, marks, partial }, look),
        [unit, dates, lines, marks, partial],
      )}
      stops={dates.length}
      read={(at) =>
        `${dateLabel(dates[at] ?? "")}: ${lines.map((l) => `${l.name} ${count(l.values[at] ?? 0)}`).join(", ")}`
      }
      point={(dataIndex) => ({ seriesIndex: 0, dataIndex })}
    />
  );
}

type Drawn = Required<Pick<Props, "unit" | "dates" | "lines" | "marks">> & {
  partial?: string | null;
};

function option({ unit, dates, lines, marks, partial }: Drawn, look: Look): Option {
  const { scheme, ink, dim, line, width } = look;
  const open = partial ? dates.indexOf(partial) : -1;
  const cut = open >= 0 ? open : dates.length;
  const palette = SERIES[scheme];
  const longest = Math.max(0, ...lines.map((l) => l.name.length));
  // Lines meet near 0 on a day that has only begun: then the legend below names them.
  const labelled = lines.length > 1 && width >= 560 && cut === dates.length;
  const right = labelled ? Math.min(160, 24 + longest * 7) : 20;
  const series = lines.flatMap((l, i) => {
    const color = palette[i % palette.length];
    const shared = {
      type: "line" as const,
      name: l.name,
      color,
      showSymbol: dates.length === 1,
      symbolSize: 5,
      lineStyle: { width: 2 },
      emphasis: { disabled: true },
      labelLayout: { moveOverlap: "shiftY" as const },
    };
    const end = { show: labelled, formatter: clip(l.name), color: ink, fontSize: 12, distance: 8 };
    const solid = { ...shared, data: l.values.map((v, d) => (d < cut ? v : null)), endLabel: end };
    const marked =
      i === 0 && marks.length > 0 ? { ...solid, markLine: lineOf(marks, dates, dim, width - right - AXIS) } : solid;
    if (cut === dates.length) return [marked];
    const tail = {
      ...shared,
      lineStyle: { width: 2, type: [4, 4] as number[] },
      showSymbol: true,
      symbol: "circle",
      data: l.values.map((v, d) => (d >= cut - 1 ? { value: v, symbolSize: d >= cut ? 5 : 0 } : null)),
    };
    return [marked, tail];
  });
  return {
    animation: false,
    aria: { enabled: false },
    textStyle: { fontFamily: "Roboto, system-ui, sans-serif", color: ink },
    // The unit stands at the edge of the drawing: beside the axis it would be cut where the numbers are short.
    title: {
      text: unit,
      left: 2,
      top: 6,
      padding: 0,
      textStyle: { color: dim, fontSize: 12, fontWeight: "normal" },
    },
    grid: {
      left: 4,
      right,
      top: marks.length ? 42 : 32,
      bottom: 4,
      containLabel: true,
    },
    tooltip: {
      ...tooltip(look),
      trigger: "axis",
      formatter: (given: unknown) => {
        const list = (Array.isArray(given) ? given : [given]) as { dataIndex: number }[];
        const day = list[0]?.dataIndex ?? 0;
        const rows = lines.map(
          (l, i) =>
            `<tr><td style="padding-right:16px"><span style="display:inline-block;width:10px;height:3px;margin-right:8px;vertical-align:middle;background:${palette[i % palette.length]}"></span>${safe(clip(l.name))}</td><td style="text-align:right;font-variant-numeric:tabular-nums">${count(l.values[day] ?? 0)}</td></tr>`,
        );
        const happened = marks
          .filter((m) => m.date === dates[day])
          .map((m) => `<div style="color:${dim}">${safe(m.text)}</div>`);
        const note = open >= 0 && day >= open ? " (not over)" : "";
        return `<div style="font-weight:500;margin-bottom:4px">${dateLabel(dates[day] ?? "", dates[dates.length - 1])}${note}</div><table>${rows.join("")}</table>${happened.join("")}`;
      },
    },
    xAxis: {
      type: "category",
      data: dates,
      boundaryGap: dates.length === 1,
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      axisLabel: { color: dim, fontSize: 12, hideOverlap: true, formatter: (d: string) => dateLabel(d) },
    },
    yAxis: {
      type: "value",
      min: 0,
      minInterval: 1,
      splitNumber: 4,
      axisLabel: { color: dim, fontSize: 12, formatter: (v: number) => short(v) },
      splitLine: { lineStyle: { color: line } },
    },
    series,
  } as Option;
}

/** About as wide as the numbers beside the vertical axis are, px. */
const AXIS = 36;

function lineOf(marks: Mark[], dates: string[], dim: string, width: number) {
  return {
    silent: true,
    symbol: ["none", "none"],
    lineStyle: { color: dim, type: "solid" as const, width: 1, opacity: 0.6 },
    data: named(marks, dates, width).map(({ date, label, align }) => ({
      xAxis: date,
      label: {
        show: label !== null,
        formatter: label ?? "",
        position: "end" as const,
        color: dim,
        opacity: 1,
        fontSize: 11,
        align,
      },
    })),
  };
}

function clip(text: string, most = 22): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

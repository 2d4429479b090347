//! Web: a share over time as steps, drawn by ECharts; loaded when a page first draws one. What was is a solid line,
//! what is expected a dashed one, and what happened is named over the time axis, which leaves out long times in which
//! nothing does. Arrow keys read out the steps.
import { useCallback, type Ref } from "react";

import { share } from "../lib/numbers";
import { exact } from "../lib/time";
import { SERIES } from "../theme";
import { along, labelsOf, type Breaks } from "./breaks";
import { Canvas, safe, tooltip, type Look, type Picture } from "./Canvas";
import type { Option } from "./echarts";
import { spread } from "./marks";

/** A share from a moment on, in basis points, and what is said of it. */
export type Step = { at: number; share: number; said: string; expected: boolean; mark?: string };

type Props = {
  label: string;
  /** In order of their times. */
  steps: Step[];
  /** The first and the last moment that is drawn, and the one up to which the line is solid. */
  from: number;
  to: number;
  now: number;
  /** What of that is left out. */
  breaks: Breaks;
  height?: number;
  ref?: Ref<Picture>;
};

export default function StepLine({ label, steps, from, to, now, breaks, height = 240, ref }: Props) {
  return (
    <Canvas
      ref={ref}
      height={height}
      label={`${label}. ${steps.length} steps. Arrow keys read the steps.`}
      draw={useCallback((look: Look) => option({ steps, from, to, now, breaks }, look), [steps, from, to, now, breaks])}
      stops={steps.length}
      read={(stop) => {
        const step = steps[stop];
        return step ? `${exact(step.at)}: ${share(step.share)}, ${step.said}` : "";
      }}
      point={(stop) => {
        const done = steps.filter((s) => !s.expected).length;
        return stop < done ? { seriesIndex: 0, dataIndex: stop } : { seriesIndex: 1, dataIndex: stop - done + 1 };
      }}
    />
  );
}

type Drawn = Pick<Props, "steps" | "from" | "to" | "now" | "breaks">;

function option({ steps, from, to, now, breaks }: Drawn, look: Look): Option {
  const { scheme, ink, dim, line, width } = look;
  const color = SERIES[scheme][0];
  const [done, coming] = [steps.filter((s) => !s.expected), steps.filter((s) => s.expected)];
  const stands = done.at(-1)?.share ?? 0;
  const right = width >= 560 ? 96 : 20;
  const point = (step: Step) => ({ value: [step.at, step.share / 100], said: step.said });
  const bare = (at: number, points: number) => ({ value: [at, points / 100], symbolSize: 0 });
  const solid = Math.min(now, to);
  // A broken axis has no even scale to be marked with: what happens is named instead.
  const broken = breaks.list.length > 0;
  const labels = broken ? labelsOf([from, ...steps.map((s) => s.at)], from, to, breaks, width - right - AXIS) : [];
  const last = (coming.at(-1)?.share ?? stands) / 100;
  const shared = {
    type: "line" as const,
    step: "end" as const,
    color,
    symbol: "circle",
    showSymbol: true,
    symbolSize: 7,
    emphasis: { disabled: true },
    labelLayout: { moveOverlap: "shiftY" as const },
  };
  return {
    animation: false,
    aria: { enabled: false },
    textStyle: { fontFamily: "Roboto, system-ui, sans-serif", color: ink },
    grid: { left: 4, right, top: 40, bottom: 4, containLabel: true },
    tooltip: {
      ...tooltip(look),
      trigger: "item",
      formatter: (given: unknown) => {
        const { data } = given as { data: { value: [number, number]; said?: string } };
        return `<div style="max-width:300px;white-space:normal"><div style="font-weight:500">${share(data.value[1] * 100)}${
          data.said ? ` <span style="font-weight:400">${safe(data.said)}</span>` : ""
        }</div><div style="color:${dim}">${exact(data.value[0])}</div></div>`;
      },
    },
    xAxis: {
      type: "time",
      min: from,
      max: to,
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
      splitNumber: Math.max(2, Math.floor(width / 160)),
      breaks: breaks.list.map((b) => ({ ...b, gap: breaks.gap })),
      breakArea: {
        expandOnClick: false,
        // Where there are many, they are grounds and no more.
        zigzagAmplitude: breaks.list.length > 3 ? 0 : 3,
        itemStyle: { color: line, opacity: 0.5, borderColor: breaks.list.length > 3 ? line : dim, borderWidth: 1 },
      },
      axisLabel: {
        color: dim,
        fontSize: 12,
        hideOverlap: true,
        ...(labels.length > 0
          ? {
              alignMinLabel: "left",
              customValues: labels.map((l) => l.at),
              formatter: (at: number) => labels.find((l) => l.at === at)?.text ?? "",
            }
          : {
              formatter: {
                year: "{yyyy}",
                month: "{d} {MMM}",
                day: "{d} {MMM}",
                hour: "{HH}:{mm}",
                minute: "{HH}:{mm}",
              },
            }),
      },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: 100,
      interval: 25,
      axisLabel: { color: dim, fontSize: 12, formatter: (v: number) => `${v}%` },
      splitLine: { lineStyle: { color: line } },
    },
    series: [
      {
        ...shared,
        lineStyle: { width: 2 },
        data: [...done.map(point), bare(solid, stands)],
        endLabel: {
          show: coming.length === 0 && width >= 560,
          formatter: share(stands),
          color: ink,
          fontSize: 12,
          distance: 8,
        },
        markLine: lineOf(steps, { from, to, now, breaks }, dim, line, width - right - AXIS),
      },
      {
        ...shared,
        symbol: "emptyCircle",
        lineStyle: { width: 2, type: [4, 4] },
        data: coming.length > 0 ? [bare(solid, stands), ...coming.map(point), bare(to, last * 100)] : [],
        endLabel: {
          show: width >= 560,
          formatter: `${share(last * 100)} expected`,
          color: dim,
          fontSize: 12,
          distance: 8,
        },
      },
    ],
  } as Option;
}

/** About as wide as the numbers beside the vertical axis are, px. */
const AXIS = 40;

function lineOf(
  steps: Step[],
  { from, to, now, breaks }: Omit<Drawn, "steps">,
  dim: string,
  line: string,
  width: number,
) {
  const whole = along(to, from, breaks);
  const place = (at: number) => (whole > 0 ? (along(at, from, breaks) / whole) * width : 0);
  const lines = [
    ...steps.flatMap((s) => (s.mark ? [{ time: s.at, at: place(s.at), texts: [s.mark] }] : [])),
    ...(now < to ? [{ time: now, at: place(now), texts: ["now"] }] : []),
  ];
  return {
    silent: true,
    symbol: ["none", "none"],
    lineStyle: { color: dim, type: "solid" as const, width: 1, opacity: 0.6 },
    data: spread(lines, width, "events").map(({ line: one, label, align }) => ({
      xAxis: one.time,
      ...(one.time === now && one.texts[0] === "now" ? { lineStyle: { color: line, opacity: 1 } } : {}),
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

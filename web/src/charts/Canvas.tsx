//! Web: the canvas that ECharts draws on: made once, drawn anew when what it shows, the theme or its width changes,
//! handed out as a picture, and read out stop by stop by the arrow keys.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from "react";

import { init, type EChartsType, type Option } from "./echarts";

/** A chart as a file. */
export type Picture = { png: () => Blob | null };

/** What a drawing goes by: the theme, its colours, and how wide it is in px. */
export type Look = {
  scheme: "light" | "dark";
  ink: string;
  dim: string;
  line: string;
  ground: string;
  width: number;
};

const COLORS = {
  light: { ink: "#1c1c1a", dim: "#63635e", line: "#e6e6e2", ground: "#ffffff" },
  dark: { ink: "#e8e8e5", dim: "#a2a29d", line: "#2a2a28", ground: "#1e1e1c" },
} as const;

type Props = {
  label: string;
  height: number;
  /** Draws it; a new function draws it anew. */
  draw: (look: Look) => Option;
  /** At how many places the arrow keys stop, what is read there, and which point of the drawing it is. */
  stops: number;
  read: (stop: number) => string;
  point: (stop: number) => { seriesIndex: number; dataIndex: number };
  ref?: Ref<Picture>;
};

export function Canvas({ label, height, draw, stops, read, point, ref }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  const scheme = useComputedColorScheme("light");
  const [at, setAt] = useState<number | null>(null);
  const [width, setWidth] = useState(0);

  useImperativeHandle(
    ref,
    () => ({
      png: () => {
        const url = chart.current?.getDataURL({
          type: "png",
          pixelRatio: 2,
          backgroundColor: scheme === "dark" ? "#151514" : "#ffffff",
        });
        const bytes = url ? Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (c) => c.charCodeAt(0)) : null;
        return bytes && new Blob([bytes], { type: "image/png" });
      },
    }),
    [scheme],
  );

  useEffect(() => {
    if (!box.current) return;
    const made = init(box.current, undefined, { renderer: "canvas" });
    chart.current = made;
    const resize = new ResizeObserver(([entry]) => {
      made.resize();
      setWidth(Math.round(entry?.contentRect.width ?? 0));
    });
    resize.observe(box.current);
    return () => {
      resize.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    const wide = width || box.current?.clientWidth || 900;
    chart.current?.setOption({ useUTC: true, ...draw({ scheme, ...COLORS[scheme], width: wide }) }, { notMerge: true });
  }, [draw, scheme, width]);

  const stop = (index: number) => {
    const next = Math.max(0, Math.min(stops - 1, index));
    setAt(next);
    chart.current?.dispatchAction({ type: "showTip", ...point(next) });
  };
  return (
    <div>
      <div
        className="chart"
        ref={box}
        style={{ height }}
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={label}
        onKeyDown={(e) => {
          if (e.key === "ArrowRight") stop((at ?? -1) + 1);
          else if (e.key === "ArrowLeft") stop((at ?? stops) - 1);
          else if (e.key === "Home") stop(0);
          else if (e.key === "End") stop(stops - 1);
          else return;
          e.preventDefault();
        }}
      />
      <div className="sr" role="status">
        {at === null ? "" : read(at)}
      </div>
    </div>
  );
}

/** The box in which a chart says what stands under the pointer. */
export function tooltip({ ink, dim, line, ground }: Look) {
  return {
    confine: true,
    backgroundColor: ground,
    borderColor: line,
    textStyle: { color: ink, fontSize: 13 },
    extraCssText: "box-shadow:none;border-radius:6px",
    axisPointer: { lineStyle: { color: dim, type: "solid" as const, width: 1 } },
  };
}

/** Text that may stand in the HTML of a tooltip. */
export function safe(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

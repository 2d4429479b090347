//! Web: a line of a few days without axes, as numbers for an SVG. A day that is not over is drawn apart, since it can
//! still grow.

/** The path of finished days and, dashed, the way to those that are not over. */
export type Spark = { solid: string; open: string };

/** Points of values from the left to the right and from 0 up, in a box with half a line's width around. */
function points(values: number[], width: number, height: number): [number, number][] {
  const most = Math.max(1, ...values);
  const step = values.length > 1 ? (width - 2) / (values.length - 1) : 0;
  return values.map((v, i) => [1 + i * step, height - 1 - (v / most) * (height - 2)]);
}

const path = (list: [number, number][]) =>
  list.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** The line of values by day; `partial` is the index of the first day that is not over. */
export function spark(values: number[], partial: number | null, width: number, height: number): Spark {
  const all = points(values, width, height);
  const cut = partial ?? values.length;
  return { solid: path(all.slice(0, cut)), open: cut < values.length ? path(all.slice(Math.max(0, cut - 1))) : "" };
}

/** What a line shows, for whoever does not see it: how much in all, the most, and the last full day. */
export function sparkText(values: number[], partial: number | null, count: (n: number) => string): string {
  const full = values.slice(0, partial ?? values.length);
  const total = values.reduce((sum, v) => sum + v, 0);
  const last = full.length > 0 ? `, ${count(full[full.length - 1] ?? 0)} on the last full day` : "";
  return `${count(total)} in ${values.length} days, ${count(Math.max(0, ...values))} at most in one${last}`;
}

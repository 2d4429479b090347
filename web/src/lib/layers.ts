//! Web: how a layer is divided, and how it would be: the same arithmetic as the server's, for the bar that is shown
//! before anything is changed.
import type { Owned } from "../api/types";
import { share } from "./numbers";

const ALL = 10_000;

/** What nobody owns, in order. */
export function gaps(ranges: Owned[]): [number, number][] {
  const starts = [...ranges.map((r) => r.from), ALL];
  const ends = [0, ...ranges.map((r) => r.to)];
  return ends.map((end, i): [number, number] => [end, starts[i]!]).filter(([from, to]) => from < to);
}

/** The share of a flag, in basis points. */
export function ownedBy(ranges: Owned[], flag: string): number {
  return ranges.filter((r) => r.flag === flag).reduce((n, r) => n + r.to - r.from, 0);
}

/** Where the part of a flag lies: what an undo gives back, so that it comes to the same people. */
export function stretches(ranges: Owned[], flag: string): { from: number; to: number }[] {
  return ranges.filter((r) => r.flag === flag).map(({ from, to }) => ({ from, to }));
}

/** The most that a flag can have. */
export function room(ranges: Owned[], flag: string): number {
  return ALL - ranges.filter((r) => r.flag !== flag).reduce((n, r) => n + r.to - r.from, 0);
}

/** The layer in which a flag has a share: more takes what is free, first to last; less gives up the flag's own, last to
 * first; no other part moves. `null` where there is no room. */
export function allotted(ranges: Owned[], flag: string, points: number): Owned[] | null {
  if (points > room(ranges, flag)) return null;
  const made = ranges.filter((r) => r.flag !== flag);
  let left = points;
  const take = (from: number, to: number) => {
    const taken = Math.min(left, to - from);
    if (taken > 0) made.push({ from, to: from + taken, flag });
    left -= taken;
  };
  for (const own of ranges.filter((r) => r.flag === flag)) take(own.from, own.to);
  for (const [from, to] of gaps(ranges)) take(from, to);
  made.sort((a, b) => a.from - b.from);
  const joined: Owned[] = [];
  for (const range of made) {
    const last = joined[joined.length - 1];
    if (last && last.flag === range.flag && last.to === range.from)
      joined[joined.length - 1] = { ...last, to: range.to };
    else joined.push(range);
  }
  return joined;
}

/** Whom another share of a layer moves, in a sentence; `joins` says that the flag was not in it. */
export function moves(flag: string, before: number, points: number, joins: boolean): string {
  if (joins)
    return `${flag} comes into the layer: ${share(points)} of the population can get it, and the other ${share(10_000 - points)} get its off variant, wherever it is on.`;
  if (points === before) return "Nobody moves.";
  return points > before
    ? `Another ${share(points - before)} of the population can get ${flag}. Whoever could, still can, and no other flag loses anybody.`
    : `${share(before - points)} of the population can no longer get ${flag}: they get its off variant. The part is free again.`;
}

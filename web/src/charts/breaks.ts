//! Web: where a time axis is broken. A long time in which nothing happens is drawn as a short break, so that minutes stay
//! readable beside a plan a year ahead; between two breaks the axis stays even.

import { civil, dateLabel, fieldOf } from "../lib/time";

/** A stretch of an axis that is left out: from its start to its end nothing happens. */
export type Break = { start: number; end: number };
/** A broken axis: what is left out, and how much of the axis each break takes, in the axis's own unit. */
export type Breaks = { list: Break[]; gap: number };

/** A gap that is so many times as long as all shorter ones together squeezes them. */
const SQUEEZE = 12;
/** What happens within a minute need not be told apart. */
const FINEST = 60_000;
/** A break is drawn as wide as this part of what is not left out at most, all of them together as wide as that. */
const [ONE, ALL] = [0.2, 0.7];
/** Before and after a break the line is seen to go on, for this part of the break's width. */
const MARGIN = 0.25;

/**
 * The breaks of an axis on which something happens at `moments` (ms). Gaps that squeeze at least three moments in a row
 * are left out; where they do on several scales, also the smaller ones.
 */
export function breaksOf(moments: number[]): Breaks {
  const at = [...new Set(moments)].sort((a, b) => a - b);
  const gaps = at.slice(1).map((end, i) => ({ start: at[i] ?? end, end, long: end - (at[i] ?? end) }));
  const sorted = [...gaps].sort((a, b) => b.long - a.long);
  for (let n = sorted.length - 2; n > 0; n--) {
    const least = sorted[n - 1]?.long ?? 0;
    const rest = sorted.slice(n).reduce((sum, g) => sum + Math.max(FINEST, g.long), 0);
    const row = gaps.some((g, i) => g.long < least && (gaps[i + 1]?.long ?? Infinity) < least);
    if (least <= SQUEEZE * rest || !row) continue;
    const drawn = sorted.slice(n).reduce((sum, g) => sum + g.long, 0);
    const gap = drawn * Math.min(ONE, ALL / n);
    const margin = gap * MARGIN;
    const long = gaps.filter((g) => g.long >= least);
    return { list: long.map(({ start, end }) => ({ start: start + margin, end: end - margin })), gap };
  }
  return { list: [], gap: 0 };
}

/** How far from `from` a moment is drawn, in the axis's own unit. */
export function along(at: number, from: number, { list, gap }: Breaks): number {
  return list.reduce((drawn, { start, end }) => {
    const inside = Math.max(0, Math.min(at, end) - start);
    return drawn - inside + (inside / (end - start)) * gap;
  }, at - from);
}

/** Width of a character of a label under the axis, and the room between two, px. */
const [CHARACTER, BETWEEN] = [6.6, 10];

/** What is written under an axis, and where. */
export type Label = { at: number; text: string };

/**
 * Names moments under a broken axis that is `width` px wide, so that no two names overlap: the first, the last, and of the
 * others those that have room. The day is named where it is another one, and beyond a break without the hour.
 */
export function labelsOf(moments: number[], from: number, to: number, breaks: Breaks, width: number): Label[] {
  const at = [...new Set(moments)].sort((a, b) => a - b);
  const last = at.at(-1);
  const whole = along(to, from, breaks);
  const named = (moment: number, before?: number): Label & { from: number; to: number } => {
    const [day, hour] = [civil(moment), fieldOf(moment).slice(11)];
    const date = dateLabel(day, civil(at[0] ?? moment).slice(0, 4));
    const beyond = before !== undefined && breaks.list.some((b) => b.start >= before && b.end <= moment);
    const text = before !== undefined && civil(before) === day ? hour : beyond ? date : `${date} ${hour}`;
    const wide = text.length * CHARACTER;
    const place = whole > 0 ? (along(moment, from, breaks) / whole) * width : 0;
    // The first begins at its place, where the numbers of the other axis are.
    const start = before === undefined ? place : place - wide / 2;
    return { at: moment, text, from: start, to: start + wide };
  };
  const kept: ReturnType<typeof named>[] = [];
  for (const moment of at) {
    const [before, one] = [kept.at(-1), named(moment, kept.at(-1)?.at)];
    const end = last === undefined || moment === last ? undefined : named(last, moment);
    if (moment === last) while (kept.length > 1 && (kept.at(-1)?.to ?? 0) + BETWEEN > one.from) kept.pop();
    if (!before || moment === last) kept.push(moment === last ? named(moment, kept.at(-1)?.at) : one);
    else if (before.to + BETWEEN <= one.from && (!end || one.to + BETWEEN <= end.from)) kept.push(one);
  }
  return kept.map(({ at: moment, text }) => ({ at: moment, text }));
}

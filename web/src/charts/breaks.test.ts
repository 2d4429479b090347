//! Web: an axis is broken where a gap squeezes the rest, and nowhere else.
import { describe, expect, it } from "vitest";

import { along, breaksOf, labelsOf } from "./breaks";

const [MIN, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
/** Moments by the gaps between them. */
const after = (...gaps: number[]) => gaps.reduce<number[]>((all, gap) => [...all, (all.at(-1) ?? 0) + gap], [0]);

/** Which gaps are left out, by their place. */
const broken = (...gaps: number[]) => {
  const at = after(...gaps);
  return breaksOf(at).list.map((b) => at.findLastIndex((m) => m <= b.start));
};

describe("breaks", () => {
  it.each<[string, number[], number[]]>([
    ["steps of days are even", [DAY, DAY, DAY], []],
    ["steps of an hour, 8 hours and days are, too", [HOUR, 8 * HOUR, DAY, DAY], []],
    ["minutes beside a plan a year ahead", [10 * MIN, 10 * MIN, 365 * DAY], [2]],
    ["a year before a ramp of minutes", [365 * DAY, 10 * MIN, 10 * MIN], [0]],
    ["minutes, then a plan each day", [5 * MIN, 5 * MIN, DAY, DAY, DAY], [2, 3, 4]],
    ["two ramps of minutes, a year apart", [MIN, MIN, 365 * DAY, MIN, MIN], [2]],
    ["a pause of a minute among days squeezes nothing that is read", [DAY, MIN, DAY, DAY], []],
    ["nor do two of them", [DAY, MIN, DAY, MIN, DAY], []],
    ["seconds are not told apart", [2_000, 3_000, 2_000, 10 * MIN], []],
    ["two moments have no scale but their own", [365 * DAY], []],
    ["nothing", [], []],
  ])("%s", (_, gaps, expected) => expect(broken(...gaps)).toEqual(expected));

  it("names the days that are far, and the minutes that are near", () => {
    const at = after(10 * MIN, 10 * MIN, DAY, 364 * DAY).map((m) => Date.UTC(2026, 2, 2, 8) + m);
    const [from, to] = [at[0] ?? 0, (at.at(-1) ?? 0) + 2 * MIN];
    const said = (width: number) => labelsOf(at, from, to, breaksOf(at), width).map((l) => l.text);
    expect(said(900)).toEqual(["2 Mar 08:00", "08:10", "08:20", "3 Mar", "2 Mar 2027"]);
    expect(said(330)).toEqual(["2 Mar 08:00", "08:20", "2 Mar 2027"]);
    expect(said(120)).toEqual(["2 Mar 08:00", "2 Mar 2027"]);
  });

  it("leaves every moment on the axis, in order, and what is squeezed in view", () => {
    let seed = 11;
    const draw = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    for (let run = 0; run < 500; run++) {
      const at = after(
        ...Array.from({ length: 1 + draw(12) }, () => 1 + draw([MIN, HOUR, DAY, 400 * DAY][draw(4)] ?? 1)),
      );
      const breaks = breaksOf(at);
      for (const { start, end } of breaks.list) {
        expect(end).toBeGreaterThan(start);
        expect(at.filter((m) => m > start && m < end)).toEqual([]);
      }
      const drawn = at.map((m) => along(m, 0, breaks));
      drawn.slice(1).forEach((d, i) => expect(d).toBeGreaterThan(drawn[i] ?? Infinity));
      // What is left of the axis takes a third of it at least.
      const left = breaks.list.reduce((sum, b) => sum - (b.end - b.start), at.at(-1) ?? 0);
      if (breaks.list.length > 0) expect(left / (drawn.at(-1) ?? 0)).toBeGreaterThan(1 / 3);
    }
  });
});

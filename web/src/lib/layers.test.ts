//! Web: a layer is divided as the server divides it.
import { describe, expect, it } from "vitest";

import type { Owned } from "../api/types";
import { allotted, gaps, moves, ownedBy, room } from "./layers";

const drawn = (ranges: Owned[] | null) => ranges?.map((r) => `${r.flag} ${r.from}..${r.to}`).join(", ");

describe("a layer", () => {
  it("grows into what is free, as in the server's own test", () => {
    let ranges: Owned[] = [];
    const steps: [string, number][] = [
      ["a", 3000],
      ["b", 3000],
      ["a", 1000],
      ["c", 4000],
      ["a", 3000],
    ];
    for (const [flag, points] of steps) ranges = allotted(ranges, flag, points)!;
    expect(drawn(ranges)).toBe("a 0..1000, c 1000..3000, b 3000..6000, c 6000..8000, a 8000..10000");
    expect(gaps(ranges)).toEqual([]);
  });

  it("has no room for more than others leave", () => {
    const ranges = allotted([], "a", 7000)!;
    expect(room(ranges, "b")).toBe(3000);
    expect(allotted(ranges, "b", 3001)).toBeNull();
    expect(drawn(allotted(ranges, "b", 3000))).toBe("a 0..7000, b 7000..10000");
    expect(drawn(allotted(ranges, "a", 0))).toBe("");
    expect(gaps(ranges)).toEqual([[7000, 10_000]]);
    expect(ownedBy(ranges, "a")).toBe(7000);
  });
});

it.each<[number, number, boolean, RegExp]>([
  [0, 3000, true, /^a comes into the layer: 30% .* the other 70% get its off variant/],
  [2000, 3000, false, /^Another 10% of the population can get a\./],
  [3000, 1000, false, /^20% of the population can no longer get a:/],
  [3000, 3000, false, /^Nobody moves\.$/],
])("%i to %i is said", (before, points, joins, said) => expect(moves("a", before, points, joins)).toMatch(said));

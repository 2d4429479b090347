//! Web: names over a time axis never overlap, and no change is lost.
import { describe, expect, it } from "vitest";

import { addDays } from "../lib/time";
import { named, type Mark } from "./marks";

const dates = Array.from({ length: 30 }, (_, i) => addDays("2026-03-01", i));
const mark = (day: number, text: string): Mark => ({ date: dates[day] ?? "", text });

describe("marks", () => {
  it("names one change and counts those of one day", () => {
    const found = named([mark(3, "turned search on"), mark(20, "a"), mark(20, "b")], dates, 900);
    expect(found.map((n) => n.label)).toEqual(["turned search on", "2 changes"]);
  });

  it("gives names that would overlap to one line, and keeps the lines", () => {
    const found = named([mark(10, "turned search on"), mark(11, "turned search off"), mark(25, "x")], dates, 900);
    expect(found.map((n) => n.label)).toEqual(["2 changes", null, "x"]);
  });

  it("keeps names inside the axis", () => {
    const found = named([mark(0, "at the very beginning"), mark(29, "at the very end of it")], dates, 900);
    expect(found.map((n) => n.align)).toEqual(["left", "right"]);
  });

  it("never lets two names overlap, at any width", () => {
    let seed = 7;
    const draw = (n: number) => (seed = (seed * 48_271) % 2_147_483_647) % n;
    for (let run = 0; run < 300; run++) {
      const width = 240 + draw(900);
      const marks = Array.from({ length: draw(40) }, () => mark(draw(30), "x".repeat(1 + draw(40))));
      const found = named(marks, dates, width);
      expect(new Set(found.map((n) => n.date))).toEqual(new Set(marks.map((m) => m.date)));
      const boxes = found
        .filter((n) => n.label !== null)
        .map((n) => {
          const at = (dates.indexOf(n.date) * width) / 29;
          const wide = (n.label ?? "").length * 6.2;
          const from = n.align === "left" ? at : n.align === "right" ? at - wide : at - wide / 2;
          return [from, from + wide] as const;
        });
      boxes.slice(1).forEach(([from], i) => expect(from).toBeGreaterThan(boxes[i]?.[1] ?? 0));
    }
  });
});

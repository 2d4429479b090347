//! Web: differences name what changed and nothing else.
import { describe, expect, it } from "vitest";

import { diff, hunks, pretty } from "./diff";

const marks = (before: unknown, after: unknown) =>
  diff(before, after)
    .filter((l) => l.mark !== " ")
    .map((l) => l.mark + l.text.trim());

describe("diff", () => {
  it("sees through the order of keys", () => expect(marks({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([]));

  it("names what changed", () => {
    expect(marks({ on: false, v: [1, 2] }, { on: true, v: [1, 2] })).toEqual(['-"on": false,', '+"on": true,']);
    expect(marks(undefined, { a: 1 })).toEqual(["+{", '+"a": 1', "+}"]);
  });

  it("gives both sides back", () => {
    const [before, after] = [
      { a: [1, 2, { x: null }], b: "t" },
      { a: [2, { x: 0 }], c: "t" },
    ];
    const side = (mark: string) =>
      diff(before, after)
        .filter((l) => l.mark === " " || l.mark === mark)
        .map((l) => l.text)
        .join("\n");
    expect(side("-")).toBe(pretty(before));
    expect(side("+")).toBe(pretty(after));
  });

  it("leaves out what is far from a change", () => {
    const lines = diff({ a: 1, b: 1, c: 1, d: 1, e: 1 }, { a: 1, b: 1, c: 1, d: 1, e: 2 });
    expect(hunks(lines, 1).map((l) => l?.text.trim())).toEqual(['"d": 1,', '"e": 1', '"e": 2', "}"]);
  });
});

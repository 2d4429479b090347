//! Web: lengths of time are read as they are written.
import { expect, it } from "vitest";

import { readSpan, writeSpan } from "./span";

const M = 60_000;
it.each([
  ["10m", 10 * M],
  ["2h", 120 * M],
  ["1d", 1_440 * M],
  [" 1d 12h ", 2_160 * M],
  ["1h30m", 90 * M],
  ["1.5h", 90 * M],
  ["90M", 90 * M],
  ["45 s", 45_000],
  ["", null],
  ["10", null],
  ["10 min", null],
  ["30m 1h", null],
  ["1h 2h", null],
  ["-1h", null],
  ["1h,", null],
])("reads %j", (text, ms) => expect(readSpan(text)).toBe(ms));

it.each([
  [0, "0s"],
  [90 * M, "1h 30m"],
  [1_440 * M, "1d"],
  [61_000, "1m 1s"],
])("writes %d", (ms, text) => expect(writeSpan(ms)).toBe(text));

it("reads what it writes", () => {
  for (let s = 0; s < 400_000; s += 977) expect(readSpan(writeSpan(s * 1_000))).toBe(s * 1_000);
});

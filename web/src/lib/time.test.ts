//! Web: what times look like; in UTC wherever the browser is.
import { describe, expect, it } from "vitest";

import { addDays, ago, civil, isDate, moment } from "./time";

const now = Date.UTC(2026, 10, 22, 15, 0, 0);

describe("time", () => {
  it.each([
    [now - 10_000, "just now"],
    [now - 5 * 60_000, "5 min ago"],
    [now - 3 * 3_600_000, "today 12:00"],
    [now - 20 * 3_600_000, "yesterday 19:00"],
    [now + 24 * 3_600_000, "tomorrow 15:00"],
    [now - 3 * 86_400_000, "Thu 15:00"],
    [Date.UTC(2026, 2, 3, 9, 5), "3 Mar, 09:05"],
    [Date.UTC(2025, 2, 3, 9, 5), "3 Mar 2025"],
    [Date.UTC(2027, 2, 3, 14, 30), "3 Mar 2027, 14:30"],
  ])("%d is %s", (ms, text) => expect(ago(ms, now)).toBe(text));

  it("names the zone in a sentence", () => {
    expect(moment(Date.UTC(2026, 11, 1, 9, 11), now)).toBe("1 Dec, 09:11 UTC");
    expect(moment(Date.UTC(2027, 0, 4, 9, 11), now)).toBe("4 Jan 2027, 09:11 UTC");
  });

  it("counts civil days over month ends", () => {
    expect(addDays("2026-02-28", 1)).toBe("2026-03-01");
    expect(addDays("2026-01-01", -1)).toBe("2025-12-31");
    expect(civil(now)).toBe("2026-11-22");
  });

  it("knows dates that do not exist", () => {
    expect(["2026-02-29", "2026-13-01", "x", "2026-2-1"].map(isDate)).toEqual([false, false, false, false]);
    expect(isDate("2028-02-29")).toBe(true);
  });
});

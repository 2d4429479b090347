//! Web: what numbers look like.
import { describe, expect, it } from "vitest";

import { count, duration, effect, fixed, level, pValue, plural, rate, share, short, size, tick } from "./numbers";

const plain = (text: string) => text.replaceAll("\u202f", "_").replaceAll("\u2212", "-");

describe("numbers", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [44_700, "44_700"],
    [1_234_567, "1_234_567"],
    [-4_321, "-4_321"],
  ])("counts %d as %s", (n, text) => expect(plain(count(n))).toBe(text));

  it("draws no sign on what rounds to nothing", () => {
    expect(plain(fixed(-0.004, 2))).toBe("0.00");
    expect(plain(effect(0.00001, -0.02, 0.02, "points"))).toBe("0.0 points (-2.0 to 2.0)");
  });

  it.each([
    [0.021, 0.004, 0.038, "points", "+2.1 points (0.4 to 3.8)"],
    [-0.0082, -0.0133, -0.0031, "points", "-0.82 points (-1.33 to -0.31)"],
    [12.4, -3.1, 27.9, "absolute", "+12 (-3 to 28)"],
    [0.104, 0.0011, 0.2069, "relative", "+10% (0 to 21)"],
    [0, 0, 0, "absolute", "0.00 (0.00 to 0.00)"],
  ] as const)("an effect wears its uncertainty: %d", (estimate, low, high, scale, text) =>
    expect(plain(effect(estimate, low, high, scale))).toBe(text),
  );

  it("rounds a rate to what its units can tell apart", () => {
    expect(rate(0.1902, 44_700)).toBe("19.02%");
    expect(rate(0.19, 100)).toBe("19.0%");
    expect(rate(0, 50)).toBe("0.0%");
  });

  it.each([
    [10_000, "100%"],
    [1_250, "12.5%"],
    [1, "0.01%"],
    [0, "0%"],
  ])("a share of %d is %s", (bp, text) => expect(share(bp)).toBe(text));

  it.each([
    [0.001_554_25, "p = 0.00155"],
    [0.0139, "p = 0.0139"],
    [0.76, "p = 0.76"],
    [0.5, "p = 0.5"],
    [1, "p = 1"],
    [0.0001, "p = 0.0001"],
    [1.23e-112, "p < 0.0001"],
    [0, "p < 0.0001"],
  ])("a p-value of %d is %s, never 0", (p, text) => expect(pValue(p)).toBe(text));

  it.each([
    [0.358_49, true, "35.85%"],
    [0.071, true, "7.10%"],
    [8.1123, false, "8.11"],
    [12, false, "12"],
    [1234.6, false, "1_235"],
    [0.000_25, false, "0.00025"],
    [0, false, "0"],
  ])("a mean of %d has the digits of the server's sentences: %s", (mean, conversion, text) =>
    expect(plain(level(mean, conversion))).toBe(text),
  );

  it.each([
    [12, "12 bytes"],
    [61_062_032, "61.1 MB"],
    [2_500_000_000, "2.5 GB"],
  ])("%d bytes are %s", (n, text) => expect(size(n)).toBe(text));

  it.each([
    [86_400_000, "1 day"],
    [14 * 86_400_000, "14 days"],
    [36 * 3_600_000, "36 hours"],
    [600_000, "10 minutes"],
    [5_400_000, "90 minutes"],
    [1_500, "1.5 seconds"],
    [1_000, "1 second"],
  ])("%d ms last %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("shortens for axes", () => {
    expect([9_999, 12_000, 1_250_000, 3_000_000].map(short).map(plain)).toEqual(["9_999", "12k", "1.3M", "3M"]);
    expect(tick(-0.02, "points")).toBe("\u22122 pts");
    expect([plural(1, "flag"), plural(2, "flag")]).toEqual(["1 flag", "2 flags"]);
  });
});

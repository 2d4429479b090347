//! Web: lengths of time as people write them: `10m`, `2h`, `1d`, `1d 12h`.

const UNITS: [string, number][] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
];

/** The milliseconds of `90m`, `1h 30m` or `2d`; `null` for what is no length of time, such as a number without a unit. */
export function readSpan(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gi)];
  if (parts.length === 0 || parts.map((p) => p[0]).join("") !== text.trim()) return null;
  let [sum, last] = [0, -1];
  for (const [, number, word] of parts) {
    const at = UNITS.findIndex(([unit]) => unit === word?.toLowerCase());
    // From large to small, each once: `30m 1h` and `1h 2h` are slips.
    if (at <= last) return null;
    last = at;
    sum += Number(number) * (UNITS[at]?.[1] ?? NaN);
  }
  return Number.isFinite(sum) ? Math.round(sum) : null;
}

/** A length of time as `readSpan` reads it: `1h 30m`. What is less than a second is left out. */
export function writeSpan(ms: number): string {
  let rest = Math.round(ms / 1_000) * 1_000;
  const parts = UNITS.flatMap(([unit, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n > 0 ? [`${n}${unit}`] : [];
  });
  return parts.join(" ") || "0s";
}

//! Web: numbers as they are read. Rounded to what is known, signs drawn, counts with thin
//! separators; the exact value stays available to the caller for the hover and the table twin.

const THIN = "\u202f";
const MINUS = "\u2212";

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** A number with a fixed count of decimals, thin separators and a true minus sign. */
export function fixed(value: number, decimals: number): string {
  const [whole = "0", fraction] = Math.abs(value).toFixed(decimals).split(".");
  const text = grouped(whole) + (fraction ? `.${fraction}` : "");
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** A count: `44 700`. */
export function count(n: number): string {
  return fixed(Math.round(n), 0);
}

/** A count in few characters for axes: `1.2k`, `3M`. */
export function short(n: number): string {
  const size = Math.abs(n);
  const [by, unit] = size >= 1e9 ? [1e9, "B"] : size >= 1e6 ? [1e6, "M"] : size >= 1e4 ? [1e3, "k"] : [1, ""];
  const scaled = n / by;
  const decimals = unit === "" ? (Number.isInteger(n) ? 0 : 2) : Math.abs(scaled) < 10 && scaled % 1 !== 0 ? 1 : 0;
  return fixed(scaled, decimals) + unit;
}

/** A share given in basis points: `12.5%`. */
export function share(points: number): string {
  return `${(points / 100).toLocaleString("en", { maximumFractionDigits: 2, useGrouping: false })}%`;
}

/** How many decimals a value deserves whose uncertainty is `half`: two digits of the uncertainty. */
export function decimals(half: number): number {
  if (!(half > 0) || !Number.isFinite(half)) return 2;
  return Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(half))));
}

/** A proportion of `n` units as a percentage, with as many decimals as `n` units can tell apart. */
export function rate(p: number, n?: number): string {
  const half = n && n > 0 ? 196 * Math.sqrt(Math.max(p * (1 - p), 1 / n) / n) : 0.1;
  return `${fixed(p * 100, Math.min(3, decimals(half)))}%`;
}

/** What an effect is measured in: points of a proportion, a plain difference, or a relative change. */
export type Scale = "points" | "absolute" | "relative";

const SCALES: Record<Scale, { by: number; unit: string }> = {
  points: { by: 100, unit: " points" },
  absolute: { by: 1, unit: "" },
  relative: { by: 100, unit: "%" },
};

function signed(value: number, digits: number): string {
  const text = fixed(value, digits);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** An effect with its interval: `+2.1 points (0.4 to 3.8)`. Never one without the other. */
export function effect(estimate: number, low: number, high: number, scale: Scale): string {
  const { by, unit } = SCALES[scale];
  const digits = decimals(((high - low) / 2) * by);
  const inner = `${fixed(low * by, digits)} to ${fixed(high * by, digits)}`;
  return `${signed(estimate * by, digits)}${unit} (${inner})`;
}

/** One number of an effect, for axes: `+2 pts`. */
export function tick(value: number, scale: Scale, digits = 0): string {
  const { by, unit } = SCALES[scale];
  return `${signed(value * by, digits)}${unit === " points" ? " pts" : unit}`;
}

/** The factor from the stored number to the shown one. */
export function factor(scale: Scale): number {
  return SCALES[scale].by;
}

/** Three significant digits, as the server writes them in sentences: `8.11`, `0.0139`, `1234`. */
export function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 1e15) return value.toExponential(2).replace("e+", "e");
  const places = Math.min(12, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))));
  const text = fixed(value, places);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** The mean of a metric beside a sentence of the server, in its digits: `35.85%` of a conversion, or `8.11`. */
export function level(mean: number, conversion: boolean): string {
  return conversion ? `${fixed(100 * mean, 2)}%` : significant(mean);
}

/** A p-value in the digits of the server's sentences: `p = 0.00155`, `p < 0.0001`; never 0. */
export function pValue(p: number): string {
  return p < 0.0001 ? "p < 0.0001" : `p = ${significant(p)}`;
}

const SPANS: [number, string][] = [
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1_000, "second"],
];

/** A length of time in the largest unit that keeps it readable: `14 days`, `90 minutes`. */
export function duration(ms: number): string {
  for (const [size, word] of SPANS) {
    const n = ms / size;
    if (n >= 2 || (n >= 1 && Number.isInteger(n)) || size === 1_000) {
      const shown = Number.isInteger(n) ? String(n) : n.toFixed(n < 10 ? 1 : 0).replace(/\.0$/, "");
      return `${shown} ${word}${shown === "1" ? "" : "s"}`;
    }
  }
  return `${ms} ms`;
}

/** Bytes as they are read: `61.1 MB`. */
export function size(bytes: number): string {
  const [by, unit] =
    bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "bytes"];
  return `${fixed(bytes / by, by === 1 ? 0 : 1)} ${unit}`;
}

/** `1 flag`, `2 flags`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

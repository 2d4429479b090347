//! Web: times as they are read, always in one zone that is said.

/** The zone in which times are shown: that of the server's own sentences, and the same for all who share a link. */
export const ZONE = "UTC";

/** The zone of this browser, in which days may be counted instead. */
export const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || ZONE;

let ahead = 0;

/** Remembers the server's time, which is the time that counts: it may run on a clock of its own. */
export function serverTime(now: number): void {
  ahead = now - Date.now();
}

/** The time, by the server's clock. */
export function now(): number {
  return Date.now() + ahead;
}

/** A time of this browser's clock, by the server's. */
export function byServer(at: number): number {
  return at + ahead;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: ZONE });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "short", timeZone: ZONE });
const dayMonth = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: ZONE });
const dayMonthYear = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: ZONE,
});
const exactly = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZone: ZONE,
});
const iso = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit", timeZone: ZONE });

/** The civil date of a moment, `2026-11-22`. */
export function civil(ms: number): string {
  return iso.format(ms);
}

/** A civil date some days later (or earlier). */
export function addDays(date: string, days: number): string {
  const at = new Date(`${date}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** Whether a text is a civil date that exists. */
export function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && addDaysOr(text) === text;
}

function addDaysOr(text: string): string | null {
  const at = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(at.getTime()) ? null : at.toISOString().slice(0, 10);
}

/** A civil date as it is read: `22 Nov`, with the year when `year` differs. */
export function dateLabel(date: string, year?: string): string {
  const at = Date.parse(`${date}T12:00:00Z`);
  const format = { day: "numeric", month: "short", timeZone: "UTC" } as const;
  return new Intl.DateTimeFormat(
    "en-GB",
    year && !date.startsWith(year) ? { ...format, year: "numeric" } : format,
  ).format(at);
}

/** A moment, as close as it matters: `just now`, `5 min ago`, `today 14:03`, `Tue 14:03`, `3 Mar, 14:03`. */
export function ago(ms: number, to = now()): string {
  const past = to - ms;
  if (past >= 0 && past < 45_000) return "just now";
  if (past >= 0 && past < 3_600_000) return `${Math.max(1, Math.round(past / 60_000))} min ago`;
  const days = Math.round((Date.parse(civil(to)) - Date.parse(civil(ms))) / 86_400_000);
  const at = clock.format(ms);
  if (days === 0) return `today ${at}`;
  if (days === 1) return `yesterday ${at}`;
  if (days === -1) return `tomorrow ${at}`;
  if (Math.abs(days) < 7) return `${weekday.format(ms)} ${at}`;
  const sameYear = civil(to).slice(0, 4) === civil(ms).slice(0, 4);
  // Of what is to come the hour matters in every year.
  if (sameYear || ms > to) return `${(sameYear ? dayMonth : dayMonthYear).format(ms)}, ${at}`;
  return dayMonthYear.format(ms);
}

/** The day of a moment: `Tue 3 Mar`. */
export function day(ms: number): string {
  return `${weekday.format(ms)} ${dayMonth.format(ms)}`;
}

/** A moment in a sentence: `1 Dec, 09:11 UTC`, with the year when it is another. */
export function moment(ms: number, to = now()): string {
  const date = civil(ms).slice(0, 4) === civil(to).slice(0, 4) ? dayMonth : dayMonthYear;
  return `${date.format(ms)}, ${clock.format(ms)} ${ZONE}`;
}

/** A moment as a field for date and time has it, in `ZONE`: `2026-03-03T14:00`. */
export function fieldOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16);
}

/** The moment that a field for date and time says, in `ZONE`; `null` while it is not filled. */
export function momentOf(field: string): number | null {
  const at = Date.parse(`${field}Z`);
  return Number.isNaN(at) ? null : at;
}

const there = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

/** A moment by the clock of this browser, `Tue 15:00 CET`; `null` where that is the clock of the page. */
export function hereText(ms: number): string | null {
  return HERE === ZONE || new Date(ms).getTimezoneOffset() === 0 ? null : there.format(ms);
}

/** A moment to the second, with the zone. */
export function exact(ms: number): string {
  return `${exactly.format(ms)} ${ZONE}`;
}

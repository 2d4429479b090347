//! Web: which changes are named on a time axis. Every change keeps its line; names that would run into
//! each other become one that counts them, so that no two overlap at any width.

/** Something that happened on a date. */
export type Mark = { date: string; text: string };
/** A line on the axis, and what is written over it; `null` where a neighbour speaks for it. */
export type Named = { date: string; label: string | null; align: "left" | "center" | "right" };

/** Width of a character of a label, px. */
const CHARACTER = 6.2;
const GAP = 12;
const MOST = 26;

const clip = (text: string) => (text.length > MOST ? `${text.slice(0, MOST - 1)}…` : text);

/**
 * Names the marks of an axis that is `width` px wide. Marks of one day, and days so near that their names
 * would overlap, share one name over the first of their lines.
 */
export function named(marks: Mark[], dates: string[], width: number): Named[] {
  const step = width / Math.max(1, dates.length - 1);
  const days = [...new Set(marks.map((m) => m.date))]
    .filter((date) => dates.includes(date))
    .map((date) => ({
      date,
      at: dates.indexOf(date) * step,
      texts: marks.filter((m) => m.date === date).map((m) => m.text),
    }));
  return spread(days, width, "changes").map(({ line, label, align }) => ({ date: line.date, label, align }));
}

/** A line across an axis, `at` px from its beginning, and what is to be written over it. */
type Placed = { at: number; texts: string[] };

/**
 * Names lines so that no two names overlap, from left to right. Lines that stand too near share one name over the
 * first of them, which counts what they are: `3 changes`.
 */
export function spread<L extends Placed>(
  given: L[],
  width: number,
  what: string,
): { line: L; label: Named["label"]; align: Named["align"] }[] {
  const lines = [...given].sort((a, b) => a.at - b.at);
  const groups: { lines: L[]; text: string }[] = [];
  const textOf = (members: L[]) => {
    const all = members.flatMap((m) => m.texts);
    return all.length === 1 ? clip(all[0] ?? "") : `${all.length} ${what}`;
  };
  /** Where a group's name begins and ends. */
  const extent = (group: { lines: L[]; text: string }) => {
    const at = group.lines[0]?.at ?? 0;
    const wide = group.text.length * CHARACTER;
    const align: Named["align"] = at - wide / 2 < 0 ? "left" : at + wide / 2 > width ? "right" : "center";
    const from = align === "left" ? at : align === "right" ? at - wide : at - wide / 2;
    return { from, to: from + wide, align };
  };
  for (const line of lines) {
    let group = { lines: [line], text: textOf([line]) };
    for (let last = groups.at(-1); last && extent(last).to + GAP > extent(group).from; last = groups.at(-1)) {
      groups.pop();
      const members = [...last.lines, ...group.lines];
      group = { lines: members, text: textOf(members) };
    }
    groups.push(group);
  }
  return groups.flatMap((group) =>
    group.lines.map((line, i) => ({ line, label: i === 0 ? group.text : null, align: extent(group).align })),
  );
}

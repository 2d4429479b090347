//! Web: the question of Explore as the address holds it.
import { decodeFilters, encodeFilter, oneOf, text, type Search } from "./search";
import { isDate } from "./time";

/** The question as the address holds it; what is absent has its default. */
export type Question = {
  event?: string;
  measure?: "uniques";
  /** The groups that are counted instead of people, such as `group:company`. */
  unit?: string;
  from?: string;
  to?: string;
  by?: string;
  where?: string[];
  zone?: string;
  /** Whether programs are counted, too. */
  bots?: "in";
};

/** Reads a question from an address; what cannot be read has its default. */
export function questionOf(search: Search): Question {
  const date = (value: unknown) => {
    const t = text(value);
    return t && isDate(t) ? t : undefined;
  };
  const where = decodeFilters(search["where"]).map(encodeFilter);
  return {
    event: text(search["event"]),
    measure: oneOf(search["measure"], ["uniques"] as const),
    unit: /^group:./.test(text(search["unit"]) ?? "") ? text(search["unit"]) : undefined,
    from: date(search["from"]),
    to: date(search["to"]),
    by: text(search["by"]),
    where: where.length ? where : undefined,
    zone: text(search["zone"]),
    bots: oneOf(search["bots"], ["in"] as const),
  };
}

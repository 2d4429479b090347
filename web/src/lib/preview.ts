//! Web: the counts of a preview, variant by variant in the order of the flag.
import type { PreviewAnswer } from "../api/types";
import { count } from "./numbers";
import { capital } from "./spoken";

/** How many get a variant now, and with the change. */
export type Counted = { variant: string; now: number; then: number };

/** One row for each variant of the flag, those that nobody gets included. */
export function counted(variants: string[], answer: PreviewAnswer): Counted[] {
  const of = new Map(answer.variants.map((v) => [v.variant, v]));
  const strangers = answer.variants.map((v) => v.variant).filter((v) => !variants.includes(v));
  return [...variants, ...strangers].map((variant) => ({
    variant,
    now: of.get(variant)?.now ?? 0,
    then: of.get(variant)?.then ?? 0,
  }));
}

/** Who would move, in a sentence. Of a flag that is `off`, it is what would be once it is on. */
export function previewText(answer: PreviewAnswer | undefined, off: boolean): string | undefined {
  if (!answer || answer.users === 0) return undefined;
  const of = answer.users === 1 ? "the one recent user" : `the ${count(answer.users)} most recent users`;
  const text = `${answer.moved === 0 ? "none" : count(answer.moved)} of ${of} would get another variant.`;
  return off ? `Once it is on, ${text}` : capital(text);
}

/** The moves one by one: `12 from control to treatment`. */
export function movesText(answer: PreviewAnswer): string[] {
  return answer.moves.map((m) => `${count(m.users)} from ${m.from} to ${m.to}`);
}

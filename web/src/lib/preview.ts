//! Web: the counts of a preview, variant by variant in the order of the flag.
import type { PreviewAnswer } from "../api/types";

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

//! Web: what a flag serves, between the form in which it is stored (ranges) and the form in which
//! people write it (shares). The salt travels along, so that saving moves nobody who need not move.
import type { Clause, FlagView, Op, RuleInput, Serve, ServeInput, Setting, Split, TargetInput } from "../api/types";
import { share } from "./numbers";

/** How one environment serves a flag, as people write it. */
export type Draft = { off: string; targets: TargetInput[]; rules: RuleInput[]; default: ServeInput };

/** The share of each variant of a split, in order of first position. */
export function sharesOf(split: Split): { variant: string; share: number }[] {
  const sums = new Map<string, number>();
  for (const { variant, from, to } of split.ranges) sums.set(variant, (sums.get(variant) ?? 0) + to - from);
  return [...sums].map(([variant, points]) => ({ variant, share: points }));
}

function written(serve: Serve): ServeInput {
  if (serve.serve === "variant") return { serve: "variant", variant: serve.variant };
  if (serve.serve === "rollout") return { serve: "rollout" };
  return { serve: "split", shares: sharesOf(serve.split), rest: serve.split.rest ?? null, salt: serve.split.salt };
}

/** A setting as people write it. */
export function draftOf(view: FlagView, setting: Setting): Draft {
  return {
    off: setting.off,
    targets: (setting.targets ?? []).map((t) => ({ variant: t.variant, ids: view.targets[t.list] ?? [] })),
    rules: (setting.rules ?? []).map((r) => ({ name: r.name ?? "", when: r.when, serve: written(r.serve) })),
    default: written(setting.default),
  };
}

/** The ranges that shares make when they are laid out anew, for a preview. */
export function laidOut(shares: { variant: string; share: number }[], rest?: string | null) {
  let at = 0;
  const order = [...shares.filter((s) => s.variant !== rest), ...shares.filter((s) => s.variant === rest)];
  return order.filter((s) => s.share > 0).map((s) => ({ variant: s.variant, from: at, to: (at += s.share) }));
}

const WORDS: Record<Op, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  does_not_contain: "does not contain",
  less: "<",
  less_or_equal: "≤",
  greater: ">",
  greater_or_equal: "≥",
  version_less: "is a version before",
  version_less_or_equal: "is a version up to",
  version_greater: "is a version after",
  version_greater_or_equal: "is a version from",
  starts_with: "starts with",
  ends_with: "ends with",
};

/** Every operator with its word. */
export const OPS = Object.entries(WORDS) as [Op, string][];

/** A clause as it is read: `plan is pro or team`. */
export function clauseText(clause: Pick<Clause, "attribute" | "op" | "values">): string {
  return `${clause.attribute} ${WORDS[clause.op]} ${clause.values.join(" or ")}`;
}

/** What is served, as it is read. */
export function serveText(serve: ServeInput): string {
  if (serve.serve === "variant") return serve.variant;
  if (serve.serve === "rollout") return "the rollout";
  return serve.shares.map((s) => `${s.variant} ${share(s.share)}`).join(", ");
}

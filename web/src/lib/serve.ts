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

const quoted = (variant: string) => `“${variant}”`;

/** What a default serves, as the end of a sentence about everybody whom nothing before it took. */
function fallback(serve: Serve, rest: string): string {
  if (serve.serve === "variant") return `${rest} gets ${quoted(serve.variant)}`;
  if (serve.serve === "split") {
    const parts = sharesOf(serve.split).map((s) => {
      const said = `${share(s.share)} ${quoted(s.variant)}`;
      return s.variant === serve.split.rest ? `${said} outside the split` : said;
    });
    return `${rest} is split: ${parts.join(", ")}`;
  }
  const { candidate, control, state, split, guard } = serve.rollout;
  if (state.state === "halted") return `${rest} gets ${quoted(control)}: the rollout of ${quoted(candidate)} is halted`;
  if (state.state === "done") return `${rest} gets ${quoted(candidate)}: it is rolled out`;
  const wide = sharesOf(split).find((s) => s.variant === candidate)?.share ?? 0;
  return `${rest} is in the rollout of ${quoted(candidate)}: ${share(wide)} so far${guard ? ", with a guard" : ""}`;
}

/** Who gets what, in one sentence: as it is, or as it would be if the flag were `on` or off. */
export function servedText(setting: Setting, on = setting.on): string {
  if (!on) return `everybody gets ${quoted(setting.off)}`;
  const ids = (setting.targets ?? []).length;
  const rules = (setting.rules ?? []).length;
  const first = [
    ids > 0 ? `${ids === 1 ? "1 list" : `${ids} lists`} of single ids` : "",
    rules > 0 ? (rules === 1 ? "1 rule" : `${rules} rules`) : "",
  ].filter(Boolean);
  return first.length > 0
    ? `${first.join(" and ")} first, then ${fallback(setting.default, "everybody else")}`
    : fallback(setting.default, "everybody");
}

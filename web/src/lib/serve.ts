//! Web: what a flag serves, between the form in which it is stored (ranges) and the form in which
//! people write it (shares). The salt travels along, so that saving moves nobody who need not move.
import type { FlagView, Prerequisite, RuleInput, Serve, ServeInput, Setting, Split, TargetInput } from "../api/types";
import { groupsText, incomplete } from "./conditions";
import { share } from "./numbers";

/** How one environment serves a flag, as people write it. */
export type Draft = {
  off: string;
  prerequisites: Prerequisite[];
  targets: TargetInput[];
  rules: RuleInput[];
  default: ServeInput;
};

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
    prerequisites: setting.prerequisites ?? [],
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

/** What is served, as it is read. */
export function serveText(serve: ServeInput): string {
  if (serve.serve === "variant") return serve.variant;
  if (serve.serve === "rollout") return "the rollout";
  return serve.shares.map((s) => `${s.variant} ${share(s.share)}`).join(", ");
}

/** A list in which what stood at `from` stands at `to`. */
export function moved<T>(list: T[], from: number, to: number): T[] {
  const rest = list.filter((_, i) => i !== from);
  return list.slice(from, from + 1).length === 0 ? list : [...rest.slice(0, to), list[from]!, ...rest.slice(to)];
}

/** The first thing that is wrong with a draft, as the end of a sentence; `null` for one that can be saved. */
export function wrong(draft: Draft): string | null {
  const serves: [string, ServeInput][] = [
    ...draft.rules.map((r, i): [string, ServeInput] => [`rule ${i + 1}`, r.serve]),
    ["everybody else", draft.default],
  ];
  const lacking = draft.prerequisites.find((p) => !p.flag || p.variants.length === 0);
  if (lacking) return lacking.flag ? `no variant of ${lacking.flag} is named` : "a prerequisite names no flag";
  for (const [i, { when }] of draft.rules.entries()) {
    const rule = `rule ${i + 1}`;
    const lack = when.length === 0 ? `${rule} has no condition` : incomplete(when, rule);
    if (lack) return lack;
  }
  for (const [what, serve] of serves) {
    if (serve.serve !== "split") continue;
    const sum = serve.shares.reduce((n, s) => n + s.share, 0);
    if (sum !== 10_000) return `the shares of ${what} add up to ${share(sum)}, not 100%`;
  }
  return null;
}

/** Who gets what by a draft, a line each: to say which lines a change touches. */
export function linesOf(draft: Draft): string[] {
  return [
    ...draft.prerequisites.map((p) => `only if ${p.flag} serves ${p.variants.join(" or ")}`),
    ...draft.targets.map((t) => `single ids of ${quoted(t.variant)}: ${t.ids.join(", ") || "none"}`),
    ...draft.rules.map((r, i) => {
      return `rule ${i + 1}${r.name ? ` (${r.name})` : ""}: if ${groupsText(r.when)}, ${serveText(r.serve)}`;
    }),
    `while off: ${quoted(draft.off)}`,
  ];
}

/** Who gets what by a draft, in the one sentence of `servedText`; `was` is the setting that it replaces. */
export function draftText(draft: Draft, was: Setting): string {
  const stored = (serve: ServeInput): Serve =>
    serve.serve === "variant"
      ? serve
      : serve.serve === "rollout"
        ? was.default
        : {
            serve: "split",
            split: { salt: "", rest: serve.rest, ranges: laidOut(serve.shares, serve.rest) },
          };
  const targets = draft.targets.filter((t) => t.ids.length > 0).map((t) => ({ variant: t.variant, list: "" }));
  return servedText(
    {
      on: true,
      off: draft.off,
      targets,
      rules: draft.rules.map((r) => ({ name: r.name, when: r.when, serve: stored(r.serve) })),
      default: stored(draft.default),
    },
    true,
  );
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
  const { candidate, control, state, guard } = serve.rollout;
  if (state.state === "halted") return `${rest} gets ${quoted(control)}: the rollout of ${quoted(candidate)} is halted`;
  if (state.state === "done") return `${rest} gets ${quoted(candidate)}: it is rolled out`;
  const wide = sharesOf(serve.rollout.split).find((s) => s.variant === candidate)?.share ?? 0;
  return `${rest} is in the rollout of ${quoted(candidate)}: ${share(wide)} so far${guard ? ", with a guard" : ""}`;
}

const live = (serve: Serve) =>
  serve.serve === "split" || (serve.serve === "rollout" && serve.rollout.state.state === "widening");

/** Whom the server records as having got a variant: only who is in a split or in a rollout that widens. */
export function divides(setting: Setting): "all" | "some" | "none" {
  const serves = [setting.default, ...(setting.rules ?? []).map((r) => r.serve)];
  if (!serves.some(live)) return "none";
  const everybody =
    (setting.targets ?? []).length === 0 &&
    serves.every((s) => live(s) && !(s.serve === "split" && s.split.rest != null));
  return everybody ? "all" : "some";
}

/** The rollout that widens here, with the share of its candidate. */
export function widening({ default: serve }: Setting): { candidate: string; share: number } | null {
  if (serve.serve !== "rollout" || serve.rollout.state.state !== "widening") return null;
  const { candidate, split } = serve.rollout;
  return { candidate, share: sharesOf(split).find((s) => s.variant === candidate)?.share ?? 0 };
}

/** Who gets what, in one sentence: as it is, or as it would be if the flag were `on` or off. `betas` are those that give
 * its audience a variant of the flag before the rules. */
export function servedText(setting: Setting, on = setting.on, betas: string[] = []): string {
  if (!on) return `everybody gets ${quoted(setting.off)}`;
  const ids = (setting.targets ?? []).length;
  const rules = (setting.rules ?? []).length;
  const first = [
    ids > 0 ? `${ids === 1 ? "1 list" : `${ids} lists`} of single ids` : "",
    betas.length > 0 ? `beta ${betas.join(", ")}` : "",
    rules > 0 ? (rules === 1 ? "1 rule" : `${rules} rules`) : "",
  ].filter(Boolean);
  return first.length > 0
    ? `${first.length > 2 ? `${first.slice(0, -1).join(", ")} and ${first.at(-1)}` : first.join(" and ")} first, then ${fallback(setting.default, "everybody else")}`
    : fallback(setting.default, "everybody");
}

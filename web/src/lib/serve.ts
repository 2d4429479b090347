//! Web: what a flag serves, between the form in which it is stored (ranges) and the form in which
//! people write it (shares); and who gets what, in a sentence. The salt travels along, so that saving moves nobody who
//! need not move.
import type {
  FlagView,
  Prerequisite,
  Rollout,
  RuleInput,
  Serve,
  ServeInput,
  Setting,
  Split,
  TargetInput,
} from "../api/types";
import type { Around } from "./around";
import { groupsText, incomplete } from "./conditions";
import { plural, share } from "./numbers";
import { and } from "./spoken";

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
export function draftText(draft: Draft, was: Setting, around: Around): string {
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
      prerequisites: draft.prerequisites,
      targets,
      rules: draft.rules.map((r) => ({ name: r.name, when: r.when, serve: stored(r.serve) })),
      default: stored(draft.default),
      enrolment: was.enrolment,
    },
    around,
  );
}

const quoted = (variant: string) => `“${variant}”`;

const live = (serve: Serve) =>
  serve.serve === "split" || (serve.serve === "rollout" && serve.rollout.state.state === "widening");

const serves = ({ default: last, rules = [] }: Setting) => [...rules.map((r) => r.serve), last];

/** Whether somebody's id decides what they get, in a rule or in the default. */
export function splits(setting: Setting): boolean {
  return serves(setting).some(live);
}

/** Whom the server does not record as having got a variant, each as the end of a sentence; `null` where it records
 * nobody. It records who is in the split or the rollout of the default, and whoever gets the off variant is not moved. */
export function uncounted(setting: Setting, around: Around): string[] | null {
  const { default: serve, targets = [], rules = [], off } = setting;
  if (!live(serve)) return null;
  const rest = serve.serve === "split" ? serve.split.rest : serve.serve === "rollout" ? serve.rollout.split.rest : null;
  const control = serve.serve === "rollout" ? serve.rollout.control : null;
  return [
    targets.length > 0 && "is listed by id",
    around.betas.length > 0 && "is in the audience of a beta",
    rules.length > 0 && "matches a rule",
    rest != null && rest !== off && rest !== control && `is outside the ${serve.serve}`,
    around.closed && "came after enrolment was closed",
  ].filter((who) => who !== false);
}

/** The keys of the flags that serve everybody their off variant while a flag serves its own, `off`. */
export function needers(all: FlagView[], key: string, environment: string, off: string): string[] {
  return all
    .filter(({ flag }) => {
      const setting = flag.archived ? undefined : flag.settings[environment];
      return setting?.on && setting.prerequisites?.some((p) => p.flag === key && !p.variants.includes(off));
    })
    .map((v) => v.flag.key);
}

/** The rollout that widens here, with the share of its candidate. */
export function widening({ default: serve }: Setting): { rollout: Rollout; share: number } | null {
  if (serve.serve !== "rollout" || serve.rollout.state.state !== "widening") return null;
  const { candidate, split } = serve.rollout;
  return { rollout: serve.rollout, share: sharesOf(split).find((s) => s.variant === candidate)?.share ?? 0 };
}

function sharesText(shares: { variant: string; share: number }[], rest: string | null | undefined, of: string): string {
  return shares
    .map((s) => `${share(s.share)} ${quoted(s.variant)}${s.variant === rest ? ` outside the ${of}` : ""}`)
    .join(", ");
}

/** What a default that divides serves to `rest`, whom nothing before it took. */
function divided({ default: serve, enrolment, off }: Setting, rest: string, { unit, closed }: Around): string {
  if (serve.serve === "variant") return `${rest} gets ${quoted(serve.variant)}`;
  const { split, control = null } = serve.serve === "split" ? { split: serve.split } : serve.rollout;
  if (closed) {
    const others = rest === "everybody" ? "everybody else" : rest;
    const shut = split.rest ?? control ?? off;
    return `whoever is enrolled keeps their variant and ${others} gets ${quoted(shut)}: enrolment is closed`;
  }
  const by = unit === "user" ? "" : ` by ${unit}`;
  const most = enrolment?.units;
  const until = most == null ? "" : `, until ${plural(most, unit)} ${most === 1 ? "is" : "are"} enrolled`;
  const shares = sharesOf(split);
  if (serve.serve === "split") return `${rest} is split${by}: ${sharesText(shares, split.rest, "split")}${until}`;
  const { candidate, guard } = serve.rollout;
  const wide = shares.find((s) => s.variant === candidate)?.share ?? 0;
  const others = shares.filter((s) => s.variant !== candidate);
  const beside =
    others.length === 1 && others[0]!.variant === control
      ? `, the others ${quoted(others[0]!.variant)}`
      : others.length > 0
        ? `, ${sharesText(others, split.rest, "rollout")}`
        : "";
  const kind = `a rollout${by}${guard ? " with a guard" : ""}`;
  return `${share(wide)} of ${rest} get ${quoted(candidate)} so far${beside}: ${kind}${until}`;
}

/** What a default serves, as the end of a sentence about `rest`. */
function fallback(setting: Setting, rest: string, around: Around): string {
  const { default: serve } = setting;
  if (live(serve) || serve.serve !== "rollout") return divided(setting, rest, around);
  const { candidate, control, state } = serve.rollout;
  return state.state === "halted"
    ? `${rest} gets ${quoted(control)}: the rollout of ${quoted(candidate)} is halted`
    : `${rest} gets ${quoted(candidate)}: it is rolled out`;
}

/** The one variant that a serve gives whomever it takes. */
function only(serve: Serve): string | null {
  if (serve.serve === "variant") return serve.variant;
  if (live(serve) || serve.serve !== "rollout") return null;
  return serve.rollout.state.state === "halted" ? serve.rollout.control : serve.rollout.candidate;
}

/** Who gets what, in one sentence: as it is, or as it would be if the flag were `on` or off. Told in the order in which
 * it is decided: prerequisites, single ids, holdouts, layer, betas, rules, default. */
export function servedText(setting: Setting, around: Around, on = setting.on): string {
  if (!on) return `everybody gets ${quoted(setting.off)}`;
  const { layer, holdouts, betas, unread } = around;
  const [ids, rules] = [(setting.targets ?? []).length, (setting.rules ?? []).length];
  const nobody = layer?.share === 0 || holdouts.some((h) => h.share === 10_000);
  const needs = (setting.prerequisites ?? []).map((p) => `${p.flag} must serve ${p.variants.map(quoted).join(" or ")}`);
  const keeps = [
    ...holdouts.map((h) => `holdout ${h.name} keeps ${h.share === 10_000 ? "everybody" : share(h.share)} out`),
    layer &&
      `layer ${layer.name} lets ${layer.share === null ? "its part" : layer.share === 0 ? "nobody" : share(layer.share)} in`,
  ].filter((gate) => gate !== undefined);
  const listed = ids > 0 ? [ids === 1 ? "1 list of single ids" : `${ids} lists of single ids`] : [];
  const takes = [
    ...(betas.length > 0 ? [`beta ${betas.join(", ")}`] : []),
    ...(rules > 0 ? [plural(rules, "rule")] : []),
  ];
  const gate = (list: string[]) => (list.length > 0 ? `${and(list)}: ` : "");
  const first = (list: string[]) => (list.length > 0 ? `${and(list)} first, then ` : "");
  const same = only(setting.default) === setting.off && rules + betas.length === 0;
  const doubt = unread.length > 0 ? `; which ${and(unread)} change this could not be read` : "";
  // Whom nothing lets in, or who gets the off variant in any case, need no other words.
  if (nobody || same) {
    const rest = ids > 0 ? "everybody else" : "everybody";
    const gets = nobody ? `${gate(keeps)}${rest} gets ${quoted(setting.off)}` : fallback(setting, rest, around);
    return `${ids > 0 ? gate(needs) : ""}${first(listed)}${gets}${doubt}`;
  }
  // Who is kept out is not told apart where the default gives them the same.
  const kept = needs.length + keeps.length > 0 && only(setting.default) !== setting.off;
  const rest = kept ? "whoever is left" : ids + rules + betas.length > 0 ? "everybody else" : "everybody";
  const order =
    keeps.length === 0
      ? gate(needs) + first([...listed, ...takes])
      : ids === 0
        ? gate([...needs, ...keeps]) + first(takes)
        : gate(needs) + first(listed) + gate(keeps) + first(takes);
  const lacking = [
    kept && "is kept out",
    around.unit !== "user" && splits(setting) && `has no ${around.unit} id`,
  ].filter((who) => who !== false);
  const others = lacking.length > 0 ? `; whoever ${lacking.join(" or ")} gets ${quoted(setting.off)}` : "";
  return `${order}${fallback(setting, rest, around)}${others}${doubt}`;
}

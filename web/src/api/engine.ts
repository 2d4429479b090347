//! Web: the words of the flag engine: rules, segments, layers, holdouts, and the steps of an explanation.
import type { components } from "./schema";

type S = components["schemas"];

/** A test of an attribute, by the word of the API. */
export type Op =
  | "is"
  | "is_not"
  | "contains"
  | "does_not_contain"
  | "less"
  | "less_or_equal"
  | "greater"
  | "greater_or_equal"
  | "version_less"
  | "version_less_or_equal"
  | "version_greater"
  | "version_greater_or_equal"
  | "version_is"
  | "version_is_not"
  | "version_caret"
  | "version_tilde"
  | "starts_with"
  | "does_not_start_with"
  | "ends_with"
  | "does_not_end_with"
  | "matches"
  | "does_not_match"
  | "set_is"
  | "set_is_not"
  | "set_contains"
  | "set_does_not_contain"
  | "set_contains_any"
  | "set_does_not_contain_any"
  | "before"
  | "after"
  | "in_network"
  | "not_in_network";
export type Clause = { attribute: string; op: Op; values: string[] };
/** Whether somebody is in a segment, or is not. */
export type InSegment = { segment: string; not?: boolean };
export type Condition = Clause | InSegment;
export type Unit = "user" | "device" | "session" | "account";
export type Prerequisite = { flag: string; variants: string[] };
export type RuleInput = Omit<S["RuleInput"], "when"> & { when: Condition[][] };
export type Rule = { name?: string; when: Condition[][]; serve: S["Serve"] };
export type Setting = Omit<S["Setting"], "rules"> & { rules?: Rule[]; prerequisites?: Prerequisite[] };
export type Flag = Omit<S["Flag"], "settings" | "unit"> & {
  unit?: Unit;
  team?: string | null;
  layer?: string | null;
  schema?: unknown;
  settings: Record<string, Setting>;
};
/** Whether a format for SDKs that evaluate by themselves carries a flag, and why it does not. */
export type Carried = { format: string; carried: boolean; why?: string };
export type FlagView = Omit<S["FlagView"], "flag"> & { flag: Flag; formats: Record<string, Carried[]> };

/** What a draft would do to the most recent users. */
export type PreviewAnswer = {
  users: number;
  moved: number;
  variants: { variant: string; now: number; then: number }[];
  /** Who would move, the most first. */
  moves: { from: string; to: string; users: number }[];
  /** Why they would get what they would, the most frequent first. */
  then_because: { variant: string; reason: Reason; users: number }[];
};

type Versioned = { revision: number; changed: number; changed_by: { kind: string; name: string } };
/** The ids of a list: how many, and the first hundred. */
export type Listed = { count: number; first: string[] };
export type Segment = {
  key: string;
  name: string;
  description?: string;
  when?: Clause[][];
  unit: Unit;
  created: number;
  archived?: boolean;
};
export type SegmentView = Versioned & {
  segment: Segment;
  included: Listed;
  excluded: Listed;
  used_by: { flag: string; environment: string; rules: number[] }[];
};
/** A stretch of a layer, in basis points. */
export type Owned = { from: number; to: number; flag: string };
export type Layer = {
  key: string;
  name: string;
  unit: Unit;
  salt: string;
  ranges: Owned[];
  created: number;
  archived?: boolean;
};
export type LayerView = Versioned & { layer: Layer; parts: { flag: string; share: number }[]; free: number };
export type Covers = { covers: "everything" } | { covers: "team"; team: string } | { covers: "flags"; flags: string[] };
export type Holdout = {
  key: string;
  name: string;
  unit: Unit;
  salt: string;
  share: number;
  covers: Covers;
  created: number;
  archived?: boolean;
};
export type HoldoutView = Versioned & { holdout: Holdout; flags: string[] };

/** Why a flag answered as it did. */
export type Explanation = {
  variant: string;
  value: unknown;
  reason: Reason;
  enrolled: boolean;
  steps: Step[];
};
/** Why, in short. */
export type Reason = { because: string; flag?: string; holdout?: string; layer?: string; index?: number };
/** Where a unit stands in a layer or a holdout; without `id` it stands nowhere. */
export type Placed = { unit: Unit; salt: string; id?: string; percent?: number; part: [number, number][] };
export type Step =
  | { step: "off" }
  | { step: "prerequisite"; flag: string; variants: string[]; served?: string; reason?: Reason; met: boolean }
  | { step: "target"; variant: string; matched: boolean }
  | { step: "holdout"; holdout: string; place: Placed; held: boolean }
  | { step: "layer"; layer: string; place: Placed; inside: boolean }
  | { step: "rule"; index: number; name: string; matched: boolean; groups: ConditionStep[][] }
  | { step: "default" }
  | {
      step: "bucket";
      unit: Unit;
      salt: string;
      id?: string;
      position?: number;
      percent?: number;
      ranges: { variant: string; from: number; to: number; chosen: boolean }[];
    }
  | {
      step: "enrolment";
      how: "kept" | "enrolled" | "placed" | "closed";
      /** Whose place the unit has: its own, that of a device before its user signed in, or that of the device's user. */
      origin: "own" | "device" | "owner";
      device?: string;
      enrolled: number;
      most?: number;
    };
export type ClauseStep = Clause & { found?: unknown; matched: boolean };
export type SegmentStep = InSegment & {
  membership: "included" | "excluded" | "matched" | "unmatched";
  groups: ClauseStep[][];
  matched: boolean;
};
export type ConditionStep = ClauseStep | SegmentStep;

//! Web: the steps of an explanation, by hand: the OpenAPI document leaves them open (`explanation: unknown`), and they
//! follow `libs/flags/src/explain.rs`.
import type { Clause, InSegment, Reason, Unit } from "./types";

/** Why a flag answered as it did. */
export type Explanation = {
  variant: string;
  value: unknown;
  reason: Reason;
  enrolled: boolean;
  steps: Step[];
};
/** Where a unit stands in a layer or a holdout; without `id` it stands nowhere. */
export type Placed = { unit: Unit; salt: string; id?: string; percent?: number; part: [number, number][] };
export type Step =
  | { step: "off" }
  | { step: "prerequisite"; flag: string; variants: string[]; served?: string; reason?: Reason; met: boolean }
  | { step: "target"; variant: string; matched: boolean }
  | { step: "holdout"; holdout: string; place: Placed; held: boolean }
  | { step: "layer"; layer: string; place: Placed; inside: boolean }
  | { step: "beta"; beta: string; matched: boolean; groups: ConditionStep[][] }
  | { step: "rule"; index: number; name: string; matched: boolean; groups: ConditionStep[][] }
  | { step: "default" }
  | {
      step: "bucket";
      unit: Unit;
      salt: string;
      id?: string;
      position?: number;
      percent?: number;
      /** What those get who are not enrolled: their ranges are no arm of a comparison. */
      rest?: string;
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

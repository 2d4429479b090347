//! Web: what stands around the setting of a flag and decides with it, so that a sentence about who gets what claims
//! nobody whom it does not reach: betas, holdouts, a layer, and limits of enrolment.
import type { BetaView, FlagView, HoldoutView, LayerView } from "../api/types";
import { holding } from "./beta";

/** What stands around a flag in one environment. */
export type Around = {
  /** What its splits divide by. */
  unit: string;
  /** The names of the betas that are on here and give their audience a variant. */
  betas: string[];
  /** The holdouts that keep a share from it, in basis points. */
  holdouts: { name: string; share: number }[];
  /** The layer that it is in, with the flag's part; `null` where that is not known. */
  layer?: { name: string; share: number | null };
  /** Whether as many are enrolled as may be. */
  closed: boolean;
  /** What could not be read, so that nothing is said of it. */
  unread: string[];
};

/** What was read of betas, holdouts and layers; a list that could not be read is left out. */
export type Lists = { betas?: BetaView[]; holdouts?: HoldoutView[]; layers?: LayerView[] };

/** What stands around a flag in an environment. */
export function aroundOf({ flag, enrolled }: FlagView, environment: string, read: Lists): Around {
  const inside = read.layers?.find((v) => v.layer.key === flag.layer);
  const part = inside && (inside.parts.find((p) => p.flag === flag.key)?.share ?? 0);
  return {
    unit: flag.unit ?? "user",
    betas: holding(read.betas ?? [], flag.key, environment),
    holdouts: (read.holdouts ?? [])
      .filter((v) => v.flags.includes(flag.key) && v.holdout.share > 0)
      .map(({ holdout: h }) => ({ name: h.name || h.key, share: h.share })),
    ...(flag.layer && { layer: { name: inside?.layer.name || flag.layer, share: part ?? null } }),
    closed: enrolled[environment]?.closed ?? false,
    // The flag itself says which layer it is in, so that only the part is missing then.
    unread: [!read.betas && "betas", !read.holdouts && "holdouts"].filter((what) => what !== false),
  };
}

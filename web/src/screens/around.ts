//! Web: reads what stands around flags, for the sentence of who gets what.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { betas, holdouts, layers } from "../api/queries";
import type { FlagView } from "../api/types";
import { aroundOf, type Around } from "../lib/around";

/** What stands around a flag in an environment; `undefined` while it is read. */
export function useAround(): (view: FlagView, environment: string) => Around | undefined {
  const [b, h, l] = [useQuery(betas()), useQuery(holdouts()), useQuery(layers())];
  const pending = b.isPending || h.isPending || l.isPending;
  const read = useMemo(() => ({ betas: b.data, holdouts: h.data, layers: l.data }), [b.data, h.data, l.data]);
  return useMemo(
    () => (view, environment) => (pending ? undefined : aroundOf(view, environment, read)),
    [pending, read],
  );
}

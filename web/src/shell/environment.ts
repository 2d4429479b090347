//! Web: which environment the page shows. It is in the address (`?env=`), so that a link opens what
//! its sender saw; without it production is shown.
import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";

import { environments } from "../api/queries";
import type { Environment } from "../api/types";

/** The environments and the one that is shown. */
export function useEnvironment(): { all: Environment[]; here: Environment } {
  const { env } = useSearch({ from: "__root__" });
  const all = useQuery(environments).data ?? [];
  const here = all.find((e) => e.key === env) ?? (env ? undefined : all.find((e) => e.production)) ?? all[0];
  return { all, here: here ?? { key: env ?? "production", name: env ?? "Production", production: !env } };
}

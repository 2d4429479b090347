//! Web: what the server says against a draft while it is written. The edit is rehearsed: everything is checked, nothing
//! is changed.
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { ApiError } from "../../api/client";
import { useMay } from "../../shell/may";

/** What somebody types is asked about once they pause. */
export const PAUSE = 400;

/** Whether the server says no to what was asked, rather than that it cannot answer now. */
export function refuses(error: unknown): error is ApiError {
  return error instanceof ApiError && [400, 404, 409, 413, 422].includes(error.status);
}

/** The refusal of a draft as it is; none where the server would take it. `run` rehearses it. */
export function useRehearsal<D>(
  what: string[],
  draft: D,
  enabled: boolean,
  run: (draft: D) => Promise<unknown>,
): ApiError | undefined {
  const said = JSON.stringify(draft);
  const [settled] = useDebouncedValue(said, PAUSE);
  // Whoever may not make the change would only hear that.
  const may = useMay("editor");
  const query = useQuery({
    queryKey: ["rehearsal", ...what, settled],
    enabled: enabled && may.allowed && settled === said,
    staleTime: 30_000,
    gcTime: 60_000,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: async (): Promise<ApiError | null> => {
      try {
        await run(JSON.parse(settled) as D);
        return null;
      } catch (error) {
        // Only what is wrong with the draft is a refusal of it; a server that is away is none.
        if (refuses(error)) return error;
        return null;
      }
    },
  });
  return enabled ? (query.data ?? undefined) : undefined;
}

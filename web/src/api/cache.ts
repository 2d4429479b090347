//! Web: the one cache of what was read. A refusal is not asked again; a server that does not answer
//! is, twice.
import { QueryClient } from "@tanstack/react-query";

import { ApiError } from "./client";

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // A browser without a network may still reach a server beside it; and where it does not, that is said.
      networkMode: "always",
      // Soon: until it is said that nothing answers, what was read before is taken for what is.
      retryDelay: 400,
      retry: (failures, error) =>
        failures < 2 && (ApiError.away(error) || (error instanceof ApiError && error.status >= 502)),
    },
  },
});

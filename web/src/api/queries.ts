//! Web: what the page reads, each under one key, so that a change makes exactly it stale.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import { whole } from "../lib/plan";
import { serverTime } from "../lib/time";
import { api, ask } from "./client";
import type { GuardView, Segmentation, SegmentationAsk } from "./types";

const LIVE = 5_000;

export const environments = queryOptions({
  queryKey: ["environments"],
  staleTime: 60_000,
  queryFn: () => ask(api.GET("/api/environments")).then((r) => r.environments),
});

/** One of them, with the revision that an edit of it is of. */
export const environment = (key: string) =>
  queryOptions({
    queryKey: ["environment", key],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/environments/{environment}", { params: { path: { environment: key } } })),
  });

export const flags = (archived = false) =>
  queryOptions({
    queryKey: ["flags", archived],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/flags", { params: { query: { archived } } })).then((r) => r.flags),
  });

export const flag = (key: string) =>
  queryOptions({
    queryKey: ["flag", key],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/flags/{flag}", { params: { path: { flag: key } } })),
  });

export const guard = (key: string, environment: string) =>
  queryOptions({
    queryKey: ["guard", key, environment],
    refetchInterval: 10_000,
    queryFn: (): Promise<GuardView> =>
      ask(api.GET("/api/flags/{flag}/guard", { params: { path: { flag: key }, query: { environment } } })),
  });

export const segments = (archived = false) =>
  queryOptions({
    queryKey: ["segments", archived],
    queryFn: () => ask(api.GET("/api/segments", { params: { query: { archived } } })).then((r) => r.segments),
  });

export const segment = (key: string) =>
  queryOptions({
    queryKey: ["segment", key],
    queryFn: () => ask(api.GET("/api/segments/{segment}", { params: { path: { segment: key } } })),
  });

/** The ids of a list of a segment, in the order of their text, a thousand at a time. */
export const members = (segment: string, list: "included" | "excluded") =>
  infiniteQueryOptions({
    queryKey: ["segment", segment, "ids", list],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam: after }) =>
      ask(api.GET("/api/segments/{segment}/ids", { params: { path: { segment }, query: { list, after } } })),
    getNextPageParam: (page) => page.next ?? undefined,
  });

export const layers = (archived = false) =>
  queryOptions({
    queryKey: ["layers", archived],
    queryFn: () => ask(api.GET("/api/layers", { params: { query: { archived } } })).then((r) => r.layers),
  });

export const layer = (key: string) =>
  queryOptions({
    queryKey: ["layer", key],
    queryFn: () => ask(api.GET("/api/layers/{layer}", { params: { path: { layer: key } } })),
  });

export const holdouts = (archived = false) =>
  queryOptions({
    queryKey: ["holdouts", archived],
    queryFn: () => ask(api.GET("/api/holdouts", { params: { query: { archived } } })).then((r) => r.holdouts),
  });

export const holdout = (key: string) =>
  queryOptions({
    queryKey: ["holdout", key],
    queryFn: () => ask(api.GET("/api/holdouts/{holdout}", { params: { path: { holdout: key } } })),
  });

export const betas = (archived = false) =>
  queryOptions({
    queryKey: ["betas", archived],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/betas", { params: { query: { archived } } })).then((r) => r.betas),
  });

export const beta = (key: string) =>
  queryOptions({
    queryKey: ["beta", key],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/betas/{beta}", { params: { path: { beta: key } } })),
  });

/** The scheduled changes of an environment, of one flag or of all; also those that are over. */
export const schedules = (environment: string, flag?: string) =>
  queryOptions({
    queryKey: ["schedules", environment, flag ?? null],
    refetchInterval: LIVE,
    queryFn: () =>
      ask(api.GET("/api/schedules", { params: { query: { environment, flag, over: true } } })).then((r) => r.schedules),
  });

export const metrics = queryOptions({
  queryKey: ["metrics"],
  queryFn: () => ask(api.GET("/api/metrics")).then((r) => r.metrics),
});

export const experiments = queryOptions({
  queryKey: ["experiments"],
  queryFn: () => ask(api.GET("/api/experiments", {})).then((r) => r.experiments),
});

export const experiment = (key: string) =>
  queryOptions({
    queryKey: ["experiment", key],
    queryFn: () => ask(api.GET("/api/experiments/{experiment}", { params: { path: { experiment: key } } })),
  });

export const results = (key: string) =>
  queryOptions({
    queryKey: ["results", key],
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
    queryFn: () => ask(api.GET("/api/experiments/{experiment}/results", { params: { path: { experiment: key } } })),
  });

/** What changes are read: of one thing or of all. */
export type About = {
  flag?: string;
  experiment?: string;
  metric?: string;
  segment?: string;
  layer?: string;
  holdout?: string;
  beta?: string;
  /** Of the tracking plan. */
  plan?: boolean;
  /** Of the tracking plan, about one event type. */
  event?: string;
  proposal?: string;
};

export const changes = (about: About, before?: number, limit = 50) =>
  queryOptions({
    queryKey: ["changes", about, before ?? null, limit],
    placeholderData: keepPreviousData,
    refetchInterval: before === undefined ? LIVE : false,
    queryFn: () => ask(api.GET("/api/changes", { params: { query: { ...about, before, limit } } })),
  });

/** One change, with what it is about as it stood before and after; it stays as it is. */
export const changed = (revision: number) =>
  queryOptions({
    queryKey: ["changed", revision],
    staleTime: Infinity,
    queryFn: () => ask(api.GET("/api/changes/{revision}", { params: { path: { revision } } })),
  });

export const catalogue = (environment: string) =>
  queryOptions({
    queryKey: ["catalogue", environment],
    // Whoever sends a first event waits for it.
    refetchInterval: (query) => (query.state.data?.events.length === 0 ? 2_000 : 60_000),
    queryFn: () => ask(api.GET("/api/events", { params: { query: { environment } } })),
  });

/** What the newest events of a type have; every type for `_any`. */
export const properties = (environment: string, event: string) =>
  queryOptions({
    queryKey: ["properties", environment, event],
    staleTime: 30_000,
    enabled: event !== "",
    placeholderData: keepPreviousData,
    queryFn: () => ask(api.GET("/api/events/properties", { params: { query: { environment, event } } })),
  });

export const recent = (environment: string, limit = 100) =>
  queryOptions({
    queryKey: ["recent", environment, limit],
    refetchInterval: 2_000,
    queryFn: () => ask(api.GET("/api/events/recent", { params: { query: { environment, limit } } })),
  });

export const plan = queryOptions({
  queryKey: ["plan"],
  structuralSharing: whole,
  refetchInterval: LIVE,
  queryFn: () => ask(api.GET("/api/plan")),
});

export const proposals = queryOptions({
  queryKey: ["proposals"],
  structuralSharing: whole,
  refetchInterval: LIVE,
  queryFn: () => ask(api.GET("/api/plan/proposals")).then((r) => r.proposals),
});

export const proposal = (key: string) =>
  queryOptions({
    queryKey: ["proposal", key],
    structuralSharing: whole,
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/plan/proposals/{proposal}", { params: { path: { proposal: key } } })),
  });

/** How the events are, and what was unlike the days before. */
export const health = (environment: string) =>
  queryOptions({
    queryKey: ["health", environment],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/events/health", { params: { query: { environment } } })),
  });

/** What looks personal in the newest events. */
export const suspects = (environment: string) =>
  queryOptions({
    queryKey: ["suspects", environment],
    staleTime: 30_000,
    queryFn: () => ask(api.GET("/api/personal", { params: { query: { environment } } })),
  });

/** How events do not follow the plan, since the start of the server. */
export const violations = (environment: string) =>
  queryOptions({
    queryKey: ["violations", environment],
    refetchInterval: LIVE,
    queryFn: () => ask(api.GET("/api/plan/violations", { params: { query: { environment } } })),
  });

/** The events that are kept apart, a hundred at a time; `null` for all types. */
export const quarantine = (environment: string, event: string | null) =>
  infiniteQueryOptions({
    queryKey: ["quarantine", environment, event],
    refetchInterval: LIVE,
    initialPageParam: undefined as number | undefined,
    queryFn: ({ pageParam: after }) =>
      ask(
        api.GET("/api/quarantine", {
          params: { query: { environment, event: event ?? undefined, after, limit: 100 } },
        }),
      ),
    getNextPageParam: (page) => page.next ?? undefined,
  });

export const segmentation = (body: SegmentationAsk) =>
  queryOptions({
    queryKey: ["segmentation", body],
    placeholderData: keepPreviousData,
    queryFn: (): Promise<Segmentation> => ask(api.POST("/api/query/segmentation", { body })),
  });

export const keys = queryOptions({
  queryKey: ["keys"],
  queryFn: () => ask(api.GET("/api/keys")).then((r) => r.keys),
});

export const status = queryOptions({
  queryKey: ["status"],
  refetchInterval: LIVE,
  queryFn: async () => {
    const found = await ask(api.GET("/api/status"));
    serverTime(found.now);
    return found;
  },
});

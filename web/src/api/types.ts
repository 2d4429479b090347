//! Web: the words of the API, by short names. All are generated from the OpenAPI document.
import type { components, paths } from "./schema";

type S = components["schemas"];
export type Environment = S["Environment"];
export type Serve = S["Serve"];
export type Split = S["Split"];
export type Rollout = S["Rollout"];
export type Kind = S["Kind"];
export type ServeInput = S["ServeInput"];
export type TargetInput = S["TargetInput"];
export type Metric = S["Metric"];
export type Measure = S["Measure"];
export type MetricView = S["MetricView"];
export type Experiment = S["Experiment"];
export type ExperimentView = S["ExperimentView"];
export type ChangeView = S["ChangeView"];
export type KeyView = S["KeyView"];

export * from "./engine";

/** What a door answers. */
export type Answer<P extends keyof paths, M extends keyof paths[P]> = paths[P][M] extends {
  responses: { 200: { content: { "application/json": infer T } } };
}
  ? T
  : never;
/** What a door takes. */
export type Body<P extends keyof paths, M extends keyof paths[P]> = paths[P][M] extends {
  requestBody: { content: { "application/json": infer T } };
}
  ? T
  : never;

export type SegmentationAsk = Body<"/api/query/segmentation", "post">;
/** What makes an answer mean less than it says. A server that has none to give leaves the list out. */
export type Warning = S["Warning"];
export type Segmentation = Answer<"/api/query/segmentation", "post"> & { warnings?: Warning[] };
export type GuardView = Answer<"/api/flags/{flag}/guard", "get"> & { warnings?: Warning[] };
export type Properties = Answer<"/api/events/properties", "get">;
export type Results = Answer<"/api/experiments/{experiment}/results", "get">;

/** An event as it was taken, as far as the page shows it. */
export type RecentEvent = {
  event: string;
  who: { user: string } | { device: string } | { both: { user: string; device: string } };
  time: number;
  received: number;
  properties?: Record<string, unknown>;
  user_properties?: Record<string, unknown>;
};

//! Web: the words of the API, by short names, generated from the OpenAPI document. Names that it makes unique by a
//! number (`ListInput2`) may change with any operation, so those are named by the door that uses them.
import type { components, paths } from "./schema";

type S = components["schemas"];
export type Environment = S["Environment"];
export type EnvironmentView = S["EnvironmentView"];
export type Bucketing = S["Bucketing"];
export type Unit = S["Unit"];

/** A test of an attribute, by the word of the API. */
export type Op = S["Op"];
export type Clause = S["Clause"];
export type Condition = S["Condition"];
/** Whether somebody is in a segment, or is not. */
export type InSegment = Exclude<Condition, Clause>;

export type Kind = S["Kind"];
export type Flag = S["Flag"];
export type FlagView = S["FlagView"];
export type Setting = S["Setting"];
export type Prerequisite = S["Prerequisite"];
export type RuleInput = S["RuleInput"];
export type Serve = S["Serve"];
export type ServeInput = S["ServeInput"];
export type TargetInput = S["TargetInput"];
export type Split = S["Split"];
/** Why a variant was served, in short. */
export type Reason = S["Reason"];
export type Enrolment = S["Enrolment"];
/** How many units a flag has enrolled in an environment, of how many. */
export type Enrolled = S["EnrolledView"];

export type Rollout = S["Rollout"];
export type Ramp = S["Ramp"];
/** A share of a ramp and how long it is held. */
export type RampStep = Ramp["steps"][number];
export type Schedule = S["Schedule"];
export type ScheduleView = S["ScheduleView"];
/** What a scheduled change does. */
export type Planned = S["Planned"];

export type SegmentView = S["SegmentView"];
/** The ids of a list: how many, and the first of them. */
export type Listed = S["Listed"];
export type LayerView = S["LayerView"];
/** A stretch of a layer, in basis points. */
export type Owned = LayerView["layer"]["ranges"][number];
export type HoldoutView = S["HoldoutView"];
export type Covers = S["Covers"];
export type Beta = S["Beta"];
export type BetaView = S["BetaView"];

export type Metric = S["Metric"];
export type Measure = S["Measure"];
export type MetricView = S["MetricView"];
export type Experiment = S["Experiment"];
export type ExperimentView = S["ExperimentView"];
export type ChangeView = S["ChangeView"];
export type KeyView = S["KeyView"];

/** What events there are, and what is in them. */
export type TrackingPlan = S["TrackingPlan"];
export type PlanRules = S["PlanRules"];
export type PlanView = S["PlanView"];
export type EventType = S["EventType"];
/** A property of a planned event type. */
export type PlannedProperty = NonNullable<EventType["properties"]>[string];
/** What a planned property holds. */
export type PropertyKind = PlannedProperty["type"];
export type Convention = S["Convention"];
export type Handling = S["Handling"];
export type PlanChanges = S["PlanChanges"];
/** One thing that is different between two plans. */
export type Difference = S["Difference"];
/** Something about a plan that is allowed and probably not meant. */
export type Lint = S["Lint"];
export type Checked = S["Checked"];
export type ProposalView = S["ProposalView"];
/** One way in which events of a type do not follow the plan. */
export type Violation = S["Violation"];
export type HeldEvent = S["HeldEvent"];

export type * from "./explanation";

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

/** What a draft would do to the most recent users. */
export type PreviewAnswer = Answer<"/api/flags/{flag}/preview", "post">;
export type SegmentationAsk = Body<"/api/query/segmentation", "post">;
/** What makes an answer mean less than it says. A server that has none to give leaves the list out. */
export type Warning = S["Warning"];
export type Segmentation = Answer<"/api/query/segmentation", "post"> & { warnings?: Warning[] };
export type GuardView = Answer<"/api/flags/{flag}/guard", "get"> & { warnings?: Warning[] };
export type Properties = Answer<"/api/events/properties", "get">;
/** A property as the newest events have it. */
export type SeenProperty = Properties["properties"][number];
export type Results = Answer<"/api/experiments/{experiment}/results", "get">;

/** An event as it was taken, as far as the page shows it. */
export type RecentEvent = {
  event: string;
  who: { user: string } | { device: string } | { both: { user: string; device: string } };
  time: number;
  received: number;
  insert_id?: string;
  properties?: Record<string, unknown>;
  user_properties?: Record<string, unknown>;
};

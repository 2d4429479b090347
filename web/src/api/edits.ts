//! Web: what the page changes. Each edit carries the reason and the revision that was shown.
import { api, ask, call, send } from "./client";
import type { Body, Explanation, SegmentView } from "./types";
import type { paths } from "./schema";

/** Reason and the revision that the page showed. */
type Because = { why: string; if_revision?: number };
/** What a door takes, with its reason. */
type Edit<P extends keyof paths, M extends keyof paths[P]> = Body<P, M> & Because;

const of = (flag: string) => ({ path: { flag } });
const rehearsed = { query: { dry_run: true } };

export const edit = {
  createFlag: (body: Body<"/api/flags", "post">) => send(api.POST("/api/flags", { body })),
  describeFlag: (flag: string, body: Edit<"/api/flags/{flag}", "patch">) =>
    send(api.PATCH("/api/flags/{flag}", { params: of(flag), body })),
  toggle: (flag: string, body: Edit<"/api/flags/{flag}/toggle", "post">) =>
    send(api.POST("/api/flags/{flag}/toggle", { params: of(flag), body })),
  archive: (flag: string, body: Edit<"/api/flags/{flag}/archive", "post">) =>
    send(api.POST("/api/flags/{flag}/archive", { params: of(flag), body })),
  target: (flag: string, body: Edit<"/api/flags/{flag}/targeting", "put">) =>
    send(api.PUT("/api/flags/{flag}/targeting", { params: of(flag), body })),
  /** Checks what `target` would do and changes nothing. */
  rehearseTarget: (flag: string, body: Edit<"/api/flags/{flag}/targeting", "put">) =>
    ask(api.PUT("/api/flags/{flag}/targeting", { params: { ...of(flag), ...rehearsed }, body })),
  preview: (flag: string, body: Body<"/api/flags/{flag}/preview", "post">) =>
    ask(api.POST("/api/flags/{flag}/preview", { params: of(flag), body })),
  team: (flag: string, body: Edit<"/api/flags/{flag}/team", "put">) =>
    send(api.PUT("/api/flags/{flag}/team", { params: of(flag), body })),
  layer: (flag: string, body: Edit<"/api/flags/{flag}/layer", "put">) =>
    send(api.PUT("/api/flags/{flag}/layer", { params: of(flag), body })),
  schema: (flag: string, body: Edit<"/api/flags/{flag}/schema", "put">) =>
    send(api.PUT("/api/flags/{flag}/schema", { params: of(flag), body })),
  variants: (flag: string, body: Edit<"/api/flags/{flag}/variants", "put">) =>
    send(api.PUT("/api/flags/{flag}/variants", { params: of(flag), body })),
  /** Who may come into the default's split; limits that are left out are none. */
  enrolment: (flag: string, body: Edit<"/api/flags/{flag}/enrolment", "put">) =>
    send(api.PUT("/api/flags/{flag}/enrolment", { params: of(flag), body })),
  saveSegment: (segment: string, body: Edit<"/api/segments/{segment}", "put">) =>
    send(api.PUT("/api/segments/{segment}", { params: { path: { segment } }, body })),
  /** Checks what `saveSegment` would do and changes nothing. */
  rehearseSegment: (segment: string, body: Edit<"/api/segments/{segment}", "put">) =>
    ask(api.PUT("/api/segments/{segment}", { params: { path: { segment }, ...rehearsed }, body })),
  segmentIds: (segment: string, body: Edit<"/api/segments/{segment}/ids", "post">) =>
    send(api.POST("/api/segments/{segment}/ids", { params: { path: { segment } }, body })),
  /** Replaces a list by a text, one id a line, sent as it is. */
  uploadIds: (segment: string, list: "included" | "excluded", text: Blob, { why, if_revision }: Because) => {
    const query = new URLSearchParams({ list, why, ...(if_revision ? { if_revision: String(if_revision) } : {}) });
    return call<SegmentView>("PUT", `/api/segments/${encodeURIComponent(segment)}/ids?${query}`, text);
  },
  archiveSegment: (segment: string, body: Edit<"/api/segments/{segment}/archive", "post">) =>
    send(api.POST("/api/segments/{segment}/archive", { params: { path: { segment } }, body })),
  saveLayer: (layer: string, body: Edit<"/api/layers/{layer}", "put">) =>
    send(api.PUT("/api/layers/{layer}", { params: { path: { layer } }, body })),
  allot: (layer: string, body: Edit<"/api/layers/{layer}/shares", "post">) =>
    send(api.POST("/api/layers/{layer}/shares", { params: { path: { layer } }, body })),
  archiveLayer: (layer: string, body: Edit<"/api/layers/{layer}/archive", "post">) =>
    send(api.POST("/api/layers/{layer}/archive", { params: { path: { layer } }, body })),
  saveHoldout: (holdout: string, body: Edit<"/api/holdouts/{holdout}", "put">) =>
    send(api.PUT("/api/holdouts/{holdout}", { params: { path: { holdout } }, body })),
  archiveHoldout: (holdout: string, body: Edit<"/api/holdouts/{holdout}/archive", "post">) =>
    send(api.POST("/api/holdouts/{holdout}/archive", { params: { path: { holdout } }, body })),
  saveBeta: (beta: string, body: Edit<"/api/betas/{beta}", "put">) =>
    send(api.PUT("/api/betas/{beta}", { params: { path: { beta } }, body })),
  /** Checks what `saveBeta` would do and changes nothing. */
  rehearseBeta: (beta: string, body: Edit<"/api/betas/{beta}", "put">) =>
    ask(api.PUT("/api/betas/{beta}", { params: { path: { beta }, ...rehearsed }, body })),
  switchBeta: (beta: string, body: Edit<"/api/betas/{beta}/switch", "post">) =>
    send(api.POST("/api/betas/{beta}/switch", { params: { path: { beta } }, body })),
  archiveBeta: (beta: string, body: Edit<"/api/betas/{beta}/archive", "post">) =>
    send(api.POST("/api/betas/{beta}/archive", { params: { path: { beta } }, body })),
  startRollout: (flag: string, body: Edit<"/api/flags/{flag}/rollout", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout", { params: of(flag), body })),
  widen: (flag: string, body: Edit<"/api/flags/{flag}/rollout/widen", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout/widen", { params: of(flag), body })),
  /** Gives a rollout that widens steps from now on; none take the ramp away. */
  ramp: (flag: string, body: Edit<"/api/flags/{flag}/rollout/ramp", "put">) =>
    send(api.PUT("/api/flags/{flag}/rollout/ramp", { params: of(flag), body })),
  pause: (flag: string, body: Edit<"/api/flags/{flag}/rollout/pause", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout/pause", { params: of(flag), body })),
  halt: (flag: string, body: Edit<"/api/flags/{flag}/rollout/halt", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout/halt", { params: of(flag), body })),
  resume: (flag: string, body: Edit<"/api/flags/{flag}/rollout/resume", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout/resume", { params: of(flag), body })),
  finish: (flag: string, body: Edit<"/api/flags/{flag}/rollout/finish", "post">) =>
    send(api.POST("/api/flags/{flag}/rollout/finish", { params: of(flag), body })),
  /** Plans a change; a schedule is made once and never altered. */
  schedule: (body: Body<"/api/schedules", "post">) => send(api.POST("/api/schedules", { body })),
  cancelSchedule: (schedule: string, body: Edit<"/api/schedules/{schedule}/cancel", "post">) =>
    send(api.POST("/api/schedules/{schedule}/cancel", { params: { path: { schedule } }, body })),
  explain: (flag: string, body: Body<"/api/flags/{flag}/explain", "post">) =>
    ask(api.POST("/api/flags/{flag}/explain", { params: of(flag), body })).then((answer) => ({
      ...answer,
      explanation: answer.explanation as Explanation,
    })),
  /** Changes an environment; what is left out stays. */
  saveEnvironment: (environment: string, body: Edit<"/api/environments/{environment}", "put">) =>
    send(api.PUT("/api/environments/{environment}", { params: { path: { environment } }, body })),
  /** Checks what `saveEnvironment` would do and changes nothing. */
  rehearseEnvironment: (environment: string, body: Edit<"/api/environments/{environment}", "put">) =>
    ask(api.PUT("/api/environments/{environment}", { params: { path: { environment }, ...rehearsed }, body })),
  savePlan: (body: Edit<"/api/plan", "put">) => send(api.PUT("/api/plan", { body })),
  /** Holds a plan against its own rules and the plan that there is; changes nothing. */
  checkPlan: (body: Body<"/api/plan/check", "post">) => ask(api.POST("/api/plan/check", { body })),
  /** Says how events would not follow the plan; stores nothing. */
  judge: (body: Body<"/api/plan/judge", "post">) => ask(api.POST("/api/plan/judge", { body })),
  propose: (proposal: string, body: Edit<"/api/plan/proposals/{proposal}", "put">) =>
    send(api.PUT("/api/plan/proposals/{proposal}", { params: { path: { proposal } }, body })),
  approve: (proposal: string, body: Edit<"/api/plan/proposals/{proposal}/approve", "post">) =>
    send(api.POST("/api/plan/proposals/{proposal}/approve", { params: { path: { proposal } }, body })),
  /** Checks what `approve` would do and changes nothing. */
  rehearseApproval: (proposal: string, body: Edit<"/api/plan/proposals/{proposal}/approve", "post">) =>
    ask(api.POST("/api/plan/proposals/{proposal}/approve", { params: { path: { proposal }, ...rehearsed }, body })),
  closeProposal: (proposal: string, body: Edit<"/api/plan/proposals/{proposal}/close", "post">) =>
    send(api.POST("/api/plan/proposals/{proposal}/close", { params: { path: { proposal } }, body })),
  release: (body: Body<"/api/quarantine/release", "post">) => send(api.POST("/api/quarantine/release", { body })),
  discardHeld: (body: Body<"/api/quarantine/delete", "post">) => send(api.POST("/api/quarantine/delete", { body })),
  saveMetric: (metric: string, body: Body<"/api/metrics/{metric}", "put">) =>
    send(api.PUT("/api/metrics/{metric}", { params: { path: { metric } }, body })),
  createExperiment: (body: Body<"/api/experiments", "post">) => send(api.POST("/api/experiments", { body })),
  startExperiment: (experiment: string, body: Because) =>
    send(api.POST("/api/experiments/{experiment}/start", { params: { path: { experiment } }, body })),
  stopExperiment: (experiment: string, body: Because) =>
    send(api.POST("/api/experiments/{experiment}/stop", { params: { path: { experiment } }, body })),
  ship: (experiment: string, body: Body<"/api/experiments/{experiment}/ship", "post">) =>
    send(api.POST("/api/experiments/{experiment}/ship", { params: { path: { experiment } }, body })),
  revokeKey: (key: string) => send(api.DELETE("/api/keys/{key}", { params: { path: { key } } })),
  limitKey: (key: string, body: Body<"/api/keys/{key}/limit", "put">) =>
    send(api.PUT("/api/keys/{key}/limit", { params: { path: { key } }, body })),
  createKey: (body: Body<"/api/keys", "post">) => send(api.POST("/api/keys", { body })),
};

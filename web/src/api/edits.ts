//! Web: what the page changes. Each edit carries the reason and the revision that was shown.
import type { Draft } from "../lib/serve";
import { api, ask, call } from "./client";
import type {
  Body,
  Clause,
  Covers,
  Explanation,
  FlagView,
  HoldoutView,
  LayerView,
  PreviewAnswer,
  SegmentView,
  Unit,
} from "./types";

/** Reason and the revision that the page showed. */
type Because = { why: string; if_revision?: number };

const part = encodeURIComponent;
const at = (flag: string) => ({ path: { flag } });

export const edit = {
  createFlag: (body: Omit<Body<"/api/flags", "post">, "unit"> & { unit: Unit }) =>
    call<FlagView>("POST", "/api/flags", body),
  describeFlag: (flag: string, body: { name: string; description: string } & Because) =>
    ask(api.PATCH("/api/flags/{flag}", { params: at(flag), body })),
  toggle: (flag: string, body: { environment: string; on: boolean } & Because) =>
    ask(api.POST("/api/flags/{flag}/toggle", { params: at(flag), body })),
  archive: (flag: string, body: { archived: boolean } & Because) =>
    ask(api.POST("/api/flags/{flag}/archive", { params: at(flag), body })),
  target: (flag: string, body: Partial<Draft> & { environment: string } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/targeting`, body),
  /** Checks what `target` would do and changes nothing. */
  rehearseTarget: (flag: string, body: Partial<Draft> & { environment: string } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/targeting?dry_run=true`, body),
  preview: (flag: string, body: Partial<Draft> & { environment: string; on?: boolean }) =>
    call<PreviewAnswer>("POST", `/api/flags/${part(flag)}/preview`, body),
  team: (flag: string, body: { team: string | null } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/team`, body),
  layer: (flag: string, body: { layer: string | null } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/layer`, body),
  schema: (flag: string, body: { schema: unknown } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/schema`, body),
  variants: (flag: string, body: { variants: { key: string; value: unknown; description?: string }[] } & Because) =>
    call<FlagView>("PUT", `/api/flags/${part(flag)}/variants`, body),
  saveSegment: (
    segment: string,
    body: { name?: string; description?: string; when?: Clause[][]; unit?: Unit } & Because,
  ) => call<SegmentView>("PUT", `/api/segments/${part(segment)}`, body),
  /** Checks what `saveSegment` would do and changes nothing. */
  rehearseSegment: (segment: string, body: { name: string; when: Clause[][]; unit: Unit } & Because) =>
    call<SegmentView>("PUT", `/api/segments/${part(segment)}?dry_run=true`, body),
  segmentIds: (segment: string, body: { list: "included" | "excluded"; add?: string[]; remove?: string[] } & Because) =>
    call<SegmentView>("POST", `/api/segments/${part(segment)}/ids`, body),
  /** Replaces a list by a text, one id a line, sent as it is. */
  uploadIds: (segment: string, list: "included" | "excluded", text: Blob, { why, if_revision }: Because) => {
    const query = new URLSearchParams({ list, why, ...(if_revision ? { if_revision: String(if_revision) } : {}) });
    return call<SegmentView>("PUT", `/api/segments/${part(segment)}/ids?${query}`, text);
  },
  archiveSegment: (segment: string, body: { archived: boolean } & Because) =>
    call<SegmentView>("POST", `/api/segments/${part(segment)}/archive`, body),
  saveLayer: (layer: string, body: { name?: string; unit?: Unit } & Because) =>
    call<LayerView>("PUT", `/api/layers/${part(layer)}`, body),
  allot: (layer: string, body: { flag: string; share: number } & Because) =>
    call<LayerView>("POST", `/api/layers/${part(layer)}/shares`, body),
  archiveLayer: (layer: string, body: { archived: boolean } & Because) =>
    call<LayerView>("POST", `/api/layers/${part(layer)}/archive`, body),
  saveHoldout: (holdout: string, body: { name?: string; unit?: Unit; share?: number; covers?: Covers } & Because) =>
    call<HoldoutView>("PUT", `/api/holdouts/${part(holdout)}`, body),
  archiveHoldout: (holdout: string, body: { archived: boolean } & Because) =>
    call<HoldoutView>("POST", `/api/holdouts/${part(holdout)}/archive`, body),
  startRollout: (flag: string, body: Body<"/api/flags/{flag}/rollout", "post">) =>
    ask(api.POST("/api/flags/{flag}/rollout", { params: at(flag), body })),
  widen: (flag: string, body: { environment: string; share: number } & Because) =>
    ask(api.POST("/api/flags/{flag}/rollout/widen", { params: at(flag), body })),
  halt: (flag: string, body: { environment: string } & Because) =>
    ask(api.POST("/api/flags/{flag}/rollout/halt", { params: at(flag), body })),
  resume: (flag: string, body: { environment: string } & Because) =>
    ask(api.POST("/api/flags/{flag}/rollout/resume", { params: at(flag), body })),
  finish: (flag: string, body: { environment: string } & Because) =>
    ask(api.POST("/api/flags/{flag}/rollout/finish", { params: at(flag), body })),
  explain: (
    flag: string,
    body: { environment: string; context: Record<string, unknown>; revision?: number },
  ): Promise<{ sentence: string; explanation: Explanation; revision: number }> =>
    call("POST", `/api/flags/${part(flag)}/explain`, body),
  saveMetric: (metric: string, body: Body<"/api/metrics/{metric}", "put">) =>
    ask(api.PUT("/api/metrics/{metric}", { params: { path: { metric } }, body })),
  createExperiment: (body: Body<"/api/experiments", "post">) => ask(api.POST("/api/experiments", { body })),
  startExperiment: (experiment: string, body: Because) =>
    ask(api.POST("/api/experiments/{experiment}/start", { params: { path: { experiment } }, body })),
  stopExperiment: (experiment: string, body: Because) =>
    ask(api.POST("/api/experiments/{experiment}/stop", { params: { path: { experiment } }, body })),
  ship: (experiment: string, body: Body<"/api/experiments/{experiment}/ship", "post">) =>
    ask(api.POST("/api/experiments/{experiment}/ship", { params: { path: { experiment } }, body })),
  revokeKey: (key: string) => ask(api.DELETE("/api/keys/{key}", { params: { path: { key } } })),
  createKey: (body: Body<"/api/keys", "post">) => ask(api.POST("/api/keys", { body })),
};

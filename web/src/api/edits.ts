//! Web: what the page changes. Each edit carries the reason and the revision that was shown.
import { api, ask } from "./client";
import type { Body } from "./types";

/** Reason and the revision that the page showed. */
type Because = { why: string; if_revision?: number };

const at = (flag: string) => ({ path: { flag } });

export const edit = {
  createFlag: (body: Body<"/api/flags", "post">) => ask(api.POST("/api/flags", { body })),
  describeFlag: (flag: string, body: { name: string; description: string } & Because) =>
    ask(api.PATCH("/api/flags/{flag}", { params: at(flag), body })),
  toggle: (flag: string, body: { environment: string; on: boolean } & Because) =>
    ask(api.POST("/api/flags/{flag}/toggle", { params: at(flag), body })),
  archive: (flag: string, body: { archived: boolean } & Because) =>
    ask(api.POST("/api/flags/{flag}/archive", { params: at(flag), body })),
  target: (flag: string, body: Body<"/api/flags/{flag}/targeting", "put">) =>
    ask(api.PUT("/api/flags/{flag}/targeting", { params: at(flag), body })),
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
  explain: (flag: string, environment: string, context: Record<string, unknown>) =>
    ask(api.POST("/api/flags/{flag}/explain", { params: at(flag), body: { environment, context } })),
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

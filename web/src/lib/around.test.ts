//! Web: what stands around a flag is what was read, and what could not be read is said.
import { expect, it } from "vitest";

import type { BetaView, FlagView, HoldoutView, LayerView } from "../api/types";
import { aroundOf } from "./around";

const view = (more: object = {}, enrolled: object = {}) =>
  ({ flag: { key: "search", settings: {}, ...more }, enrolled }) as unknown as FlagView;
const lists = {
  betas: [
    { beta: { key: "spring", name: "Spring", flags: { search: "on" }, on: ["production"] } },
  ] as unknown as BetaView[],
  holdouts: [
    { holdout: { key: "all", name: "", share: 500 }, flags: ["search"] },
    { holdout: { key: "none", name: "", share: 0 }, flags: ["search"] },
    { holdout: { key: "other", name: "", share: 500 }, flags: ["theme"] },
  ] as unknown as HoldoutView[],
  layers: [
    { layer: { key: "home", name: "Home" }, parts: [{ flag: "search", share: 4000 }] },
    { layer: { key: "empty", name: "" }, parts: [] },
  ] as unknown as LayerView[],
};

it("is what was read", () => {
  expect(aroundOf(view(), "production", lists)).toEqual({
    unit: "user",
    betas: ["Spring"],
    holdouts: [{ name: "all", share: 500 }],
    closed: false,
    unread: [],
  });
  expect(aroundOf(view({ layer: "home", unit: "device" }), "production", lists)).toMatchObject({
    unit: "device",
    layer: { name: "Home", share: 4000 },
  });
  expect(aroundOf(view({ layer: "empty" }), "production", lists).layer).toEqual({ name: "empty", share: 0 });
  expect(aroundOf(view({}, { production: { closed: true } }), "production", lists).closed).toBe(true);
  expect(aroundOf(view({}, { development: { closed: true } }), "production", lists)).toMatchObject({ closed: false });
  expect(aroundOf(view(), "development", lists).betas).toEqual([]);
});

it("says what could not be read", () => {
  expect(aroundOf(view({ layer: "home" }), "production", {})).toMatchObject({
    layer: { name: "home", share: null },
    unread: ["betas", "holdouts"],
  });
});

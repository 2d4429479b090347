//! Web: contexts of recent people.
import { expect, it } from "vitest";

import type { RecentEvent } from "../api/types";
import { contextsOf } from "./contexts";

const event = (who: RecentEvent["who"], time: number, user_properties?: Record<string, unknown>): RecentEvent => ({
  event: "visit",
  who,
  time,
  received: time,
  user_properties,
});

it("knows everybody once, by the newest event", () => {
  const found = contextsOf([
    event({ both: { user: "ana", device: "d-1" } }, 30, { plan: "pro" }),
    event({ device: "d-2" }, 20),
    event({ user: "ana" }, 10, { plan: "free" }),
  ]);
  expect(found).toEqual([
    { name: "ana", at: 30, context: { targetingKey: "ana", device_id: "d-1", plan: "pro" } },
    { name: "d-2", at: 20, context: { device_id: "d-2" } },
  ]);
});

//! Web: a property that nothing has is doubted, and nothing else is.
import { describe, expect, it } from "vitest";

import type { Properties } from "../api/types";
import { doubt } from "./PropertyInput";

const known = (looked_at: number, cut = 0): Properties => ({
  properties: [{ property: "plan", kinds: ["text"], count: 1, distinct: 1, examples: [{ value: "pro", count: 1 }] }],
  cut,
  looked_at,
  seq: 9,
});

describe("doubt", () => {
  it("is about what none of the events has", () => {
    expect(doubt("paln", known(12), "visit")).toBe("None of the newest 12 “visit” events has it");
    expect(doubt("paln", known(12), null)).toBe("None of the newest 12 events has it");
    expect(doubt("paln", known(0), "visit")).toBe("No “visit” events have come in yet");
  });

  it("is silent where it cannot know, and where there is nothing to doubt", () => {
    expect(doubt("plan", known(12), "visit")).toBeNull();
    expect(doubt("", known(12), "visit")).toBeNull();
    expect(doubt("paln", undefined, "visit")).toBeNull();
    expect(doubt("paln", known(10_000, 3), "visit")).toBeNull();
  });
});

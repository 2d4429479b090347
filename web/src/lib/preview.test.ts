//! Web: the counts of a preview.
import { expect, it } from "vitest";

import { counted } from "./preview";

it("has a row for every variant, and for one that the flag no longer has", () => {
  const answer = {
    users: 10,
    moved: 3,
    variants: [
      { variant: "on", now: 4, then: 7 },
      { variant: "gone", now: 1, then: 0 },
    ],
  };
  expect(counted(["off", "on"], answer)).toEqual([
    { variant: "off", now: 0, then: 0 },
    { variant: "on", now: 4, then: 7 },
    { variant: "gone", now: 1, then: 0 },
  ]);
});

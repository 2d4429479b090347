//! Web: the counts of a preview.
import { expect, it } from "vitest";

import { counted, movesText, previewText } from "./preview";

it("has a row for every variant, and for one that the flag no longer has", () => {
  const answer = {
    events: 240,
    users: 10,
    moved: 3,
    variants: [
      { variant: "on", now: 4, then: 7 },
      { variant: "gone", now: 1, then: 0 },
    ],
    moves: [{ from: "off", to: "on", users: 3 }],
    now_because: [],
    then_because: [],
  };
  expect(movesText(answer)).toEqual(["3 from off to on"]);
  expect(previewText(answer, false)).toBe("3 of the 10 most recent users would get another variant.");
  expect(previewText({ ...answer, moved: 0 }, true)).toBe(
    "Once it is on, none of the 10 most recent users would get another variant.",
  );
  expect(previewText({ ...answer, users: 0 }, false)).toBeUndefined();
  expect(counted(["off", "on"], answer)).toEqual([
    { variant: "off", now: 0, then: 0 },
    { variant: "on", now: 4, then: 7 },
    { variant: "gone", now: 1, then: 0 },
  ]);
});

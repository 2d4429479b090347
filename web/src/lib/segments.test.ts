//! Web: who is in a segment, in a sentence that leaves out neither list.
import { expect, it } from "vitest";

import type { SegmentView } from "../api/types";
import { whoIsIn } from "./segments";

const view = (matches: boolean, included: number, excluded: number) =>
  ({
    segment: { when: matches ? [[{ attribute: "plan", op: "is", values: ["pro"] }]] : [] },
    included: { count: included, first: [] },
    excluded: { count: excluded, first: [] },
  }) as unknown as SegmentView;

it.each<[boolean, number, number, string]>([
  [false, 0, 0, "nobody yet"],
  [true, 0, 0, "whoever matches: plan is pro"],
  [false, 1, 0, "1 listed id"],
  [true, 3, 1, "3 listed ids and whoever matches: plan is pro; 1 id is listed out"],
  [false, 3, 2, "3 listed ids; 2 ids are listed out"],
  [false, 0, 2, "nobody yet; 2 ids are listed out"],
])("matches %s, %d in, %d out", (matches, included, excluded, said) =>
  expect(whoIsIn(view(matches, included, excluded))).toBe(said),
);

//! Web: a bar of the population leaves nothing out.
import { expect, it } from "vitest";

import { whole, type Piece } from "./Population";

it.each<[string, Piece[], string]>([
  ["nothing", [], "0-10000 free"],
  ["a part", [{ from: 0, to: 500, name: "held" }], "0-500 held, 500-10000 free"],
  [
    "parts out of order",
    [
      { from: 6000, to: 10_000, name: "b" },
      { from: 1000, to: 3000, name: "a" },
    ],
    "0-1000 free, 1000-3000 a, 3000-6000 free, 6000-10000 b",
  ],
])("%s", (_, pieces, said) =>
  expect(
    whole(pieces)
      .map((p) => `${p.from}-${p.to} ${p.name ?? "free"}`)
      .join(", "),
  ).toBe(said),
);

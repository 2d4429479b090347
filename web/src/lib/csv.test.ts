//! Web: CSV that other programs read back, and that runs nothing.
import { expect, it } from "vitest";

import { csv } from "./csv";

it("quotes what must be quoted and disarms formulas", () => {
  expect(
    csv(
      ["a", "b"],
      [
        ["x,y", 1.5],
        ['say "hi"', null],
        ["=1+1", -2],
      ],
    ),
  ).toBe('a,b\r\n"x,y",1.5\r\n"say ""hi""",\r\n\'=1+1,-2\r\n');
});

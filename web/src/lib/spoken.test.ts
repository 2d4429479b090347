//! Web: sentences of the server look like the rest of the page and keep what they say.
import { describe, expect, it } from "vitest";

import { hinted, spoken } from "./spoken";

const plain = (text: string) => text.replaceAll("\u202f", "_").replaceAll("\u2212", "-");

describe("spoken", () => {
  it.each([
    ["p = 0.00155, 13.10% of 10,021 against 10.00% of 9,979", "p = 0.0016, 13.10% of 10_021 against 10.00% of 9_979"],
    ["35.59% of 635", "35.6% of 635"],
    ["p < 0.0001", "p < 0.0001"],
    ["alpha 3.04% of 5% in this epoch", "alpha 3.04% of 5% in this epoch"],
    ["13.1% of 22.5%", "13.1% of 22.5%"],
    ["p = 1, valid at every look", "p = 1, valid at every look"],
    ["an effect between -1.1 and +1.5 points", "an effect between -1.1 and +1.5 points"],
    ["half-open 1,2 and 2026-1", "half-open 1,2 and 2026-1"],
  ])("%s", (from, to) => expect(plain(spoken(from))).toBe(to));

  it("names the zone of a time", () =>
    expect(spoken("running until 2031-12-01T09:11:00Z, no decision before")).toBe(
      "running until 1 Dec 2031, 09:11 UTC, no decision before",
    ));

  it("draws a true minus", () => expect(spoken("is -0.82 points (-1.33 to -0.31)")).not.toContain("-"));
});

describe("hinted", () => {
  it.each([
    ["see `GET /api/flags` for what there is", "look at the list of flags"],
    ["see GET /api/experiments for what there is", "look at the list of experiments"],
    ["see `/openapi.json` for what this operation takes", "look at what was entered"],
    ["name one of the arms as the control", "name one of the arms as the control"],
  ])("%s", (from, to) => expect(hinted(from)).toBe(to));
});

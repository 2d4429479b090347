//! Web: hints of the server name places of the page.
import { describe, expect, it } from "vitest";

import { hinted } from "./spoken";

describe("hinted", () => {
  it.each([
    ["see `GET /api/flags` for what there is", "look at the list of flags"],
    ["see GET /api/experiments for what there is", "look at the list of experiments"],
    ["see `/openapi.json` for what this operation takes", "look at what was entered"],
    ["name one of the arms as the control", "name one of the arms as the control"],
  ])("%s", (from, to) => expect(hinted(from)).toBe(to));
});

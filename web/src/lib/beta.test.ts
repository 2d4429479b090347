//! Web: betas in words.
import { expect, it } from "vitest";

import type { BetaView } from "../api/types";
import { servesText, stands } from "./beta";

const here = { key: "production", name: "Production" };
const view = (part: Partial<BetaView["beta"]>, dark: string[] = []): BetaView => ({
  beta: {
    key: "spring",
    name: "Spring",
    flags: { search: "on", theme: "dark" },
    audience: [[{ attribute: "plan", op: "is", values: ["pro"] }]],
    on: ["production"],
    created: 0,
    ...part,
  },
  dark: dark.length ? { production: dark } : {},
  revision: 1,
  changed: 0,
  changed_by: { kind: "person", name: "Ana" },
  warnings: [],
});

it.each([
  [view({}), "On in Production for whoever matches: plan is pro."],
  [view({ on: [] }), "Off in Production: nobody is in it."],
  [view({ archived: true }), "Archived: it is shown to nobody."],
  [view({}, ["search"]), "On in Production for whoever matches: plan is pro. Nobody sees 1 of its 2 flags: it is off."],
  [
    view({}, ["search", "theme"]),
    "On in Production for whoever matches: plan is pro. Nobody sees any of its flags: they are off.",
  ],
])("says where it stands: %#", (one, said) => expect(stands(one, here)).toBe(said));

it("says what the audience gets", () => {
  expect(servesText(view({}))).toBe("the audience gets “on” of search and “dark” of theme");
  expect(servesText(view({ flags: { search: "on" } }))).toBe("the audience gets “on” of search");
});

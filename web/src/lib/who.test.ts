import { expect, test } from "vitest";

import type { RecentEvent } from "../api/types";
import { whose, whoText } from "./who";

test.each<[RecentEvent["who"], string, string]>([
  [{ user: "ana-1" }, "ana-1", "ana-1"],
  [{ device: "\u200b" }, "\u200b", "“\u200b”"],
  [{ both: { user: " ", device: "a\u202eb" } }, "  on a\u202eb", "“ ” on a\\u202eb"],
])("whose an event of %j is", (who, plain, shown) => {
  expect(whose(who)).toBe(plain);
  expect(whoText(who)).toBe(shown);
});

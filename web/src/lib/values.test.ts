//! Web: values as they are written.
import { expect, it } from "vitest";

import type { Kind } from "../api/types";
import { valueOf, written } from "./values";

it.each<[Kind, string, unknown]>([
  ["string", "12", "12"],
  ["number", "12", 12],
  ["boolean", "true", true],
  ["json", '{"a":[1]}', { a: [1] }],
])("%s %s is there and back", (kind, text, value) => {
  expect(valueOf(kind, text)).toEqual({ value });
  expect(written(kind, value)).toBe(text);
});

it.each<[Kind, string]>([
  ["number", "twelve"],
  ["boolean", "1"],
  ["json", "12"],
  ["json", "null"],
])("%s is not %s", (kind, text) => expect(valueOf(kind, text)).toHaveProperty("wrong"));

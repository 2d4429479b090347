import { expect, test } from "vitest";

import { nameText, unturned } from "./sent";

test("what turns a line is seen and turns nothing", () => {
  expect(unturned("a\u202eb\u2066c")).toBe("a\\u202eb\\u2066c");
  expect(JSON.parse(unturned(JSON.stringify({ "x\u202e": "\u2069y" })))).toEqual({ "x\u202e": "\u2069y" });
  // Marks beside a word of Hebrew or Arabic, and what joins the parts of a picture, stay.
  for (const text of ["שלום\u200f!", "تمت عملية", "👩‍👩‍👧"]) expect(unturned(text)).toBe(text);
});

test.each([
  ["Order Completed", "Order Completed"],
  [" padded ", " padded "],
  [" ", "“ ”"],
  ["", "“”"],
  ["\u200b\t\u3164", "“\u200b\t\u3164”"],
  ["\u202e", "“\\u202e”"],
  ["a\u202eb", "a\\u202eb"],
  ["🛒", "🛒"],
])("a name %j is shown as %j", (name, shown) => {
  expect(nameText(name)).toBe(shown);
});

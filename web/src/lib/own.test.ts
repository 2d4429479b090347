import { expect, test } from "vitest";

import { own } from "./own";

test.each(["constructor", "toString", "__proto__", "hasOwnProperty"])("nothing is called %s by itself", (name) => {
  expect(own({ a: 1 }, name)).toBeUndefined();
  expect(own(JSON.parse(`{"${name}": 1}`) as Record<string, number>, name)).toBe(1);
});

test("what is there is found, and nothing in nothing", () => {
  expect(own({ a: 1 }, "a")).toBe(1);
  expect(own({ a: 1 }, "b")).toBeUndefined();
  expect(own(null, "a")).toBeUndefined();
  expect(own(undefined, "a")).toBeUndefined();
});

import { expect, test } from "vitest";

import { spark, sparkText } from "./spark";

test("a line begins at the left, ends at the right, and is highest at its most", () => {
  expect(spark([0, 2, 4], null, 12, 10)).toEqual({ solid: "M1.0 9.0L6.0 5.0L11.0 1.0", open: "" });
});

test("a day that is not over is drawn apart, from the day before it", () => {
  expect(spark([4, 4, 2], 2, 12, 10)).toEqual({ solid: "M1.0 1.0L6.0 1.0", open: "M6.0 1.0L11.0 5.0" });
  expect(spark([3], 0, 12, 10).solid).toBe("");
});

test("nothing at all is a line on the ground", () => {
  expect(spark([0, 0], null, 12, 10).solid).toBe("M1.0 9.0L11.0 9.0");
});

test("a line is said in words", () => {
  expect(sparkText([1, 5, 2], 2, String)).toBe("8 in 3 days, 5 at most in one, 5 on the last full day");
  expect(sparkText([2, 3], 0, String)).toBe("5 in 2 days, 3 at most in one");
});

//! Web: the address holds the state of a page and gives it back.
import { describe, expect, it } from "vitest";

import { decodeFilter, decodeFilters, encodeFilter, FILTER_OPS, oneOf, parseSearch, stringifySearch } from "./search";

describe("search", () => {
  it("reads back what it writes", () => {
    const state = { env: "production", q: "a b&c=ü", f: ["x~is~1", "y~is~2"] };
    expect(parseSearch(stringifySearch(state))).toEqual(state);
    expect(stringifySearch({ a: undefined, b: "", c: [] })).toBe("");
  });

  it("reads back every condition, whatever its texts hold", () => {
    const nasty = ["plain", "a~b", "a|b", "back\\slash", "\\~|", "(none)", "ü ñ", ""];
    for (const property of nasty.filter(Boolean)) {
      for (const op of FILTER_OPS) {
        const filter = { property, op, values: nasty };
        expect(decodeFilter(encodeFilter(filter))).toEqual(filter);
        expect(decodeFilters(parseSearch(stringifySearch({ f: [encodeFilter(filter)] }))["f"])).toEqual([filter]);
      }
    }
  });

  it("leaves out what is no condition", () => {
    expect(decodeFilters(["", "x", "x~is", "x~like~y", "~is~y"])).toEqual([]);
    expect(decodeFilters(undefined)).toEqual([]);
    expect(oneOf("b", ["a", "c"])).toBeUndefined();
  });
});

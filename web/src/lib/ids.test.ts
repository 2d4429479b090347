//! Web: ids as they are typed.
import { expect, it } from "vitest";

import { idsOf } from "./ids";

it.each([
  ["", []],
  ["a\nb\n", ["a", "b"]],
  [" a \r\n\r\nb\r\na", ["a", "b"]],
  ["a,b", ["a,b"]],
])("%j", (text, ids) => expect(idsOf(text)).toEqual(ids));

//! Web: limits of enrolment are said and sent as they are.
import { expect, it } from "vitest";

import { asEdit, enrolledText, limitsText, remembers } from "./enrolment";

it.each([
  [{}, "no limit", { share: "none", units: "none", sticky: false }, false],
  [{ share: 500 }, "at most 5% of everybody", { share: 500, units: "none", sticky: false }, false],
  [{ share: null, units: 1 }, "at most 1 user", { share: "none", units: 1, sticky: false }, true],
  [
    { share: 500, units: 10_000, sticky: true },
    "at most 5% of everybody and 10\u202f000 users, and whoever is enrolled keeps their variant",
    { share: 500, units: 10_000, sticky: true },
    true,
  ],
  [
    { sticky: true },
    "no limit, and whoever is enrolled keeps their variant",
    { share: "none", units: "none", sticky: true },
    true,
  ],
  [{ sticky: false, units: null }, "no limit", { share: "none", units: "none", sticky: false }, false],
])("%o", (limits, said, sent, remembered) => {
  expect(limitsText(limits, "user")).toBe(said);
  expect(asEdit(limits)).toEqual(sent);
  expect(remembers(limits)).toBe(remembered);
});

it.each([
  [0, undefined, "0 are enrolled"],
  [1, undefined, "1 is enrolled"],
  [1, 1, "1 of 1 is enrolled"],
  [1, 10_000, "1 of 10\u202f000 is enrolled"],
  [3, 1, "3 of 1 are enrolled"],
])("%d of %s", (enrolled, most, said) => expect(enrolledText(enrolled, most)).toBe(said));

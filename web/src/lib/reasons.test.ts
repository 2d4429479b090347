//! Web: reasons as sentences.
import { expect, it } from "vitest";

import type { Reason } from "../api/types";
import { because } from "./reasons";

it.each([
  [{ because: "rule", index: 0 }, "Rule 1 matches."],
  [{ because: "rule_split", index: 2 }, "By the split of rule 3."],
  [{ because: "prerequisite", flag: "checkout" }, "checkout does not serve what this flag needs."],
  [{ because: "holdout", holdout: "all" }, "Holdout all keeps it out."],
  [{ because: "layer", layer: "home" }, "It is outside this flag's part of layer home."],
  [{ because: "beta", beta: "spring" }, "It is in the audience of beta spring."],
  [{ because: "kept" }, "It keeps what it got before."],
  [{ because: "something_new" }, "something new"],
])("%o", (reason, said) => expect(because(reason as Reason)).toBe(said));

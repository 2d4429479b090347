//! Web: why a variant was served, in short.
import type { Reason } from "../api/types";

/** A reason as a sentence. */
export function because({ because: word, flag, holdout, layer, index }: Reason): string {
  const rule = index === undefined ? "a rule" : `rule ${index + 1}`;
  switch (word) {
    case "off":
      return "The flag is off.";
    case "prerequisite":
      return `${flag} does not serve what this flag needs.`;
    case "target":
      return "It is listed by its id.";
    case "holdout":
      return `Holdout ${holdout} keeps it out.`;
    case "layer":
      return `It is outside this flag's part of layer ${layer}.`;
    case "rule":
      return `${rule[0]!.toUpperCase()}${rule.slice(1)} matches.`;
    case "rule_split":
      return `By the split of ${rule}.`;
    case "split":
      return "By the split of the default.";
    case "kept":
      return "It keeps what it got before.";
    case "closed":
      return "Enrolment is closed.";
    case "static":
      return "Everybody gets it.";
    case "default":
      return "Nothing else took it.";
    case "no_unit":
      return "The context has no id to divide by.";
    default:
      return word.replaceAll("_", " ");
  }
}

//! Web: why a variant was served, in short.
import type { Reason } from "../api/types";

/** A reason as a sentence. */
export function because(reason: Reason): string {
  switch (reason.because) {
    case "off":
      return "The flag is off.";
    case "prerequisite":
      return `${reason.flag} does not serve what this flag needs.`;
    case "target":
      return "It is listed by its id.";
    case "holdout":
      return `Holdout ${reason.holdout} keeps it out.`;
    case "layer":
      return `It is outside this flag's part of layer ${reason.layer}.`;
    case "beta":
      return `It is in the audience of beta ${reason.beta}.`;
    case "rule":
      return `Rule ${reason.index + 1} matches.`;
    case "rule_split":
      return `By the split of rule ${reason.index + 1}.`;
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
      // A tab that is older than the server meets words that it does not know.
      return (reason as { because: string }).because.replaceAll("_", " ");
  }
}

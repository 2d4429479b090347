//! Web: a segment in words: who is in it, and who asks for it.
import type { SegmentView } from "../api/types";
import { groupsText } from "./conditions";
import { plural } from "./numbers";

/** Who is in a segment, as a sentence without its end. */
export function whoIsIn({ segment: { when = [] }, included, excluded }: SegmentView): string {
  const listed = included.count > 0 ? plural(included.count, "listed id") : "";
  const matched = when.length > 0 ? `whoever matches: ${groupsText(when)}` : "";
  const who = [listed, matched].filter(Boolean).join(" and ") || "nobody yet";
  return excluded.count > 0 ? `${who}; ${plural(excluded.count, "id is", "ids are")} listed out` : who;
}

/** How many flags ask for it. */
export function flagsOf({ used_by }: SegmentView): string[] {
  return [...new Set(used_by.map((u) => u.flag))];
}

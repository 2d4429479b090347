//! Web: the values of variants, between what they are and how people write them.
import type { Kind } from "../api/types";

/** A variant as it is written. */
export type Row = { key: string; value: string; description?: string };

/** The value that a text stands for in a kind, or why it does not. */
export function valueOf(kind: Kind, text: string): { value: unknown } | { wrong: string } {
  if (kind === "string") return { value: text };
  try {
    const value: unknown = JSON.parse(text);
    const fits =
      kind === "boolean"
        ? typeof value === "boolean"
        : kind === "number"
          ? typeof value === "number"
          : typeof value === "object" && value !== null;
    return fits ? { value } : { wrong: `not a ${kind} value` };
  } catch {
    return { wrong: `not a ${kind} value` };
  }
}

/** How a value is written in a kind. */
export function written(kind: Kind, value: unknown): string {
  return kind === "string" && typeof value === "string" ? value : JSON.stringify(value);
}

//! Web: ids as they are typed.

/** The ids of a text, one a line; empty lines and spaces around are nothing. */
export function idsOf(text: string): string[] {
  return [
    ...new Set(
      text
        .split(/[\r\n]+/)
        .map((id) => id.trim())
        .filter(Boolean),
    ),
  ];
}

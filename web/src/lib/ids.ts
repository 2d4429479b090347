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

const HEADING =
  /^(((user|device|account|session|customer|client|member|visitor|person|contact|anonymous|distinct|external|targeting|unique)[ _-]?)?(ids?|keys?|uuids?|guids?)|e-?mails?([ _-]?address(es)?)?|user[ _-]?names?|users?|names?)$/i;

/** Whether a line looks like the heading of a table, by its first cell. */
export function isHeading(line: string): boolean {
  const [cell = ""] = line.replace(/^\ufeff/, "").split(/[,;\t]/);
  return HEADING.test(
    cell
      .trim()
      .replace(/^(["'])(.*)\1$/, "$2")
      .trim(),
  );
}

/** A text without its first line that holds anything. */
export function belowFirst(text: string): string {
  return text.replace(/^\s*[^\r\n]*(\r\n|\r|\n)?/, "");
}

/** The longest first line that is looked at; an id is shorter by far. */
const LONGEST = 4_096;

/** The heading of a file that has one, and the file below it; only the file's beginning is read. */
export async function headingOf(file: Blob): Promise<{ said: string; below: Blob } | null> {
  const bytes = new Uint8Array(await file.slice(0, LONGEST).arrayBuffer());
  const at = bytes.findIndex((b) => b === 10 || b === 13);
  const end = at < 0 ? bytes.length : at;
  const said = new TextDecoder().decode(bytes.slice(0, end)).trim();
  if (!isHeading(said)) return null;
  const wide = bytes[end] === 13 && bytes[end + 1] === 10 ? 2 : 1;
  return { said, below: file.slice(end + wide) };
}

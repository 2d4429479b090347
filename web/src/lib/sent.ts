//! Web: texts of senders as they are shown, whatever stands in them.

/** What turns the direction of all that follows it in a line: embeddings, overrides and isolates. */
const TURNS = /[\u202a-\u202e\u2066-\u2069]/g;

/** A text in which these can be seen and turn nothing, as JSON escapes them. */
export function unturned(text: string): string {
  return text.replace(TURNS, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

/** Spaces of all kinds, and what takes no room. */
const UNSEEN = /^[\s\p{Z}\p{C}\u00ad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f]*$/u;

/** What somebody called something: in quotes where nothing of it would be seen. */
export function nameText(name: string): string {
  return UNSEEN.test(name) ? `“${unturned(name)}”` : unturned(name);
}

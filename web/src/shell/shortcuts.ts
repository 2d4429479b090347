//! Web: the keys that do something, in one list: what the page listens to and what its help shows.

/** Keys that are pressed together, or one after the other, and what they do. */
export type Shortcut = { keys: string[]; does: string };

const MAC = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** The key beside the space bar on a Mac, Control elsewhere. */
export const MOD = MAC ? "⌘" : "Ctrl";

export const SHORTCUTS: { where: string; list: Shortcut[] }[] = [
  {
    where: "Everywhere",
    list: [
      { keys: [MOD, "K"], does: "Search, or do something" },
      { keys: ["?"], does: "Show these keys" },
      { keys: ["Esc"], does: "Close what is open" },
    ],
  },
  {
    where: "On the page of a flag",
    list: [
      { keys: ["K"], does: "Kill switch: asks whether to turn it off in the environment in view" },
      { keys: ["K", "Enter"], does: "Kill switch: turns it off" },
      { keys: ["Alt", "↑"], does: "Move the rule that is edited up" },
      { keys: ["Alt", "↓"], does: "Move the rule that is edited down" },
    ],
  },
  {
    where: "In a dialog that asks for the reason",
    list: [
      { keys: ["Enter"], does: "Make the change" },
      { keys: ["Shift", "Enter"], does: "Begin a new line" },
    ],
  },
  {
    where: "In a table",
    list: [
      { keys: ["↑"], does: "To the row above" },
      { keys: ["↓"], does: "To the row below" },
      { keys: ["Enter"], does: "Open the row" },
    ],
  },
];

/** Whether a key is a letter where it was pressed, and no command. */
export function typing(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "button"].includes(target.type);
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLElement && (target.isContentEditable || target.closest('[role="dialog"]') !== null))
  );
}

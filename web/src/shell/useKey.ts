//! Web: what one key does, wherever the focus is but where one types.
import { useEffectEvent, useLayoutEffect } from "react";

import { typing } from "./shortcuts";

/** Calls `act` when `key` is pressed by itself. It listens as soon as what it acts on can be seen: after painting would be too late for who is
 * quick. What is pressed where one types stays a letter. */
export function useKey(key: string, act: () => void) {
  const pressed = useEffectEvent((event: KeyboardEvent) => {
    if (event.key.toLowerCase() !== key || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!event.defaultPrevented && !typing(event.target)) {
      event.preventDefault();
      act();
    }
  });
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => pressed(event);
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

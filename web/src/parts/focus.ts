//! Web: where the keyboard is. A dialog that is taken off the page gives the focus back to what opened it; where that is
//! gone or cannot be used any more, to what takes the change back, or to the page's heading.
import { useEffect, useState } from "react";

/** For a dialog that exists only while it is open. */
export function useFocusBack(): void {
  // Asked while it is first drawn: afterwards the dialog itself has the focus.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      if (document.activeElement === before && before !== document.body) return;
      const undo = document.querySelector<HTMLElement>("[data-undo]");
      const heading = document.querySelector<HTMLElement>("h1");
      if (!undo) heading?.setAttribute("tabindex", "-1");
      (undo ?? heading)?.focus();
    },
    [before],
  );
}

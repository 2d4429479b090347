//! Web: where the keyboard is. A dialog that is taken off the page gives the focus back to what opened it.
import { useEffect, useState } from "react";

/** For a dialog that exists only while it is open. */
export function useFocusBack(): void {
  // Asked while it is first drawn: afterwards the dialog itself has the focus.
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    },
    [before],
  );
}

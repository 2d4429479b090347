//! Web: where the keyboard is. A dialog that is taken off the page gives the focus back to what opened it. Where that is gone,
//! cannot be used any more or was nothing, what was just made can be taken back by Enter, or else the page's heading has it.
import { useEffect, useRef, useState, type RefObject } from "react";

/** What a person can do something with. */
const USABLE = "a[href], button, input, select, textarea, [role=switch], [tabindex='0']";

/** Gives the focus to the page's heading, from where Tab goes on through the page. */
export function toHeading(): void {
  const heading = document.querySelector<HTMLElement>("h1");
  heading?.setAttribute("tabindex", "-1");
  heading?.focus();
}

/** For a dialog that exists only while it is open. What it gives is set to true when what was asked for was made. */
export function useFocusBack(): RefObject<boolean> {
  // Asked while it is first drawn: afterwards the dialog itself has the focus.
  const [before] = useState(() => document.activeElement);
  const made = useRef(false);
  useEffect(() => {
    const door = made;
    const back = () => {
      if (before instanceof HTMLElement && before.isConnected && before.matches(USABLE)) {
        before.focus();
        if (document.activeElement === before) return;
      }
      const undo = door.current ? document.querySelector<HTMLElement>("[data-undo]") : null;
      if (undo) undo.focus();
      else if (before !== document.body) toHeading();
    };
    return () => {
      back();
      // What else gives focus back when a dialog goes does so after this, and to nothing that can be used.
      setTimeout(() => {
        if (document.activeElement === document.body || document.activeElement === null) back();
      });
    };
  }, [before]);
  return made;
}

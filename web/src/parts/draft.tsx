//! Web: the draft of a form. Until something is changed in it, it follows what the server has; from then on it stays with
//! what it began from, so that nothing that somebody types is lost and a newer revision is never overwritten.
import { useState } from "react";

import { useUnsaved } from "../shell/Unsaved";
import { Note } from "./Words";

/** A draft, what it is a draft of, and whether the two differ. */
export type Drafting<V, D> = {
  draft: D;
  from: V;
  old: D;
  changed: boolean;
  set: (part: Partial<D>) => void;
  /** Lets go of the draft: what the server has is shown again. */
  discard: () => void;
  /** Puts the draft on top of a newer view. */
  keep: (newer: V) => void;
};

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** A draft of something that has changed meanwhile: what was changed in the draft stays so, the rest is what is there now. */
export function rebased<D extends object>(old: D, mine: D, now: D): D {
  const parts = Object.keys(mine) as (keyof D)[];
  return { ...now, ...Object.fromEntries(parts.filter((k) => !same(old[k], mine[k])).map((k) => [k, mine[k]])) };
}

/** The draft of `view`, as `draftOf` makes one. */
export function useDraft<V, D extends object>(view: V, draftOf: (view: V) => D): Drafting<V, D> {
  const [held, hold] = useState<{ from: V; draft: D } | null>(null);
  const from = held ? held.from : view;
  const old = draftOf(from);
  const draft = held?.draft ?? old;
  const changed = !same(old, draft);
  useUnsaved(changed);
  return {
    draft,
    from,
    old,
    changed,
    set: (part) => {
      const next = { ...draft, ...part };
      hold(same(old, next) ? null : { from, draft: next });
    },
    discard: () => hold(null),
    keep: (newer) => hold({ from: newer, draft: rebased(old, draft, draftOf(newer)) }),
  };
}

/** What the server has of a thing, and who gave it that. */
type Revised = { revision: number; changed_by: { name: string } };

/** Says that there is a newer revision than the one that is being changed; it is shown when one saves. */
export function Newer({ from, view }: { from?: Revised; view?: Revised }) {
  if (!from || !view || from.revision === view.revision) return null;
  return (
    <Note tone="warn">
      <p role="status">
        {view.changed_by.name} changed this while you did: it is at revision {view.revision} now. What you wrote is
        kept, and saving it shows the difference.
      </p>
    </Note>
  );
}

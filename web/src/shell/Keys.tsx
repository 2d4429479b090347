//! Web: the help on keys, opened by `?` and from the palette.
import { Modal } from "@mantine/core";
import { createContext, Fragment, useContext, useMemo, useState, type ReactNode } from "react";

import { useFocusBack } from "../parts/focus";
import { SHORTCUTS } from "./shortcuts";
import { useKey } from "./useKey";

const Open = createContext<() => void>(() => {});

/** Opens the help on keys. */
export function useKeysHelp(): () => void {
  return useContext(Open);
}

export function KeysHelp({ children }: { children: ReactNode }) {
  const [opened, setOpened] = useState(false);
  const open = useMemo(() => () => setOpened(true), []);
  useKey("?", open);
  return (
    <Open.Provider value={open}>
      {children}
      {opened && <Dialog close={() => setOpened(false)} />}
    </Open.Provider>
  );
}

function Dialog({ close }: { close: () => void }) {
  useFocusBack();
  return (
    <Modal opened onClose={close} title="Keys" size="md">
      {SHORTCUTS.map(({ where, list }) => (
        <section key={where} className="keys">
          <h3>{where}</h3>
          <dl>
            {list.map(({ keys, does }) => (
              <div key={does}>
                <dt>
                  {keys.map((key, i) => (
                    <Fragment key={i}>
                      {i > 0 && " "}
                      <kbd>{key}</kbd>
                    </Fragment>
                  ))}
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Modal>
  );
}

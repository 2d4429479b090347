//! Web: switching a flag. Optimistic: the switch moves at once and comes back when the server
//! refuses. Production asks for the reason first.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../api/edits";
import { flag as flagQuery, segmentation } from "../api/queries";
import type { Environment, FlagView } from "../api/types";
import { count } from "../lib/numbers";
import { addDays, civil, now, ZONE } from "../lib/time";
import { useChange } from "../parts/Change";

/** Yesterday's people who were shown a flag: whom a change will move, about. */
export function Reach({ flag, environment, to }: { flag: string; environment: string; to: string }) {
  const yesterday = addDays(civil(now()), -1);
  const asked = useQuery({
    ...segmentation({
      environment,
      event: "$exposure",
      measure: "uniques",
      from: yesterday,
      to: yesterday,
      zone: ZONE,
      by: null,
      limit: 10,
      filters: [{ property: "flag_key", op: "is", values: [flag] }],
    }),
    retry: false,
  });
  const people = asked.data?.series[0]?.total;
  return (
    <p style={{ margin: 0 }}>
      {people === undefined ? (
        asked.isError ? (
          "How many people this moves is not known."
        ) : (
          "Counting whom this moves…"
        )
      ) : people === 0 ? (
        "Nobody was shown this flag yesterday."
      ) : (
        <>
          About <span className="strong">{count(people)}</span> people were shown this flag yesterday. {to}
        </>
      )}
    </p>
  );
}

/** `shows` is what the switch shows now; `ask` begins the change. */
export function useToggle() {
  const { change } = useChange();
  const client = useQueryClient();
  const [ahead, setAhead] = useState<Record<string, boolean>>({});
  const name = (view: FlagView, environment: string) => `${view.flag.key}\n${environment}`;
  return {
    shows: (view: FlagView, environment: string) =>
      ahead[name(view, environment)] ?? view.flag.settings[environment]?.on ?? false,
    ask: async (view: FlagView, environment: Environment, kill = false) => {
      const key = view.flag.key;
      const setting = view.flag.settings[environment.key];
      if (!setting) return;
      const on = kill ? false : !setting.on;
      const word = on ? "on" : "off";
      const quick = !environment.production;
      const slot = name(view, environment.key);
      if (quick) setAhead((old) => ({ ...old, [slot]: on }));
      await change({
        title: kill
          ? `Kill switch: turn ${key} off in ${environment.name}?`
          : `Turn ${key} ${word} in ${environment.name}?`,
        moves: (
          <div style={{ display: "grid", gap: 8 }}>
            <p style={{ margin: 0 }}>
              Now: <span className="strong">{view.states[environment.key]}</span>
              {on ? null : (
                <>
                  . Then everybody gets <span className="strong">{setting.off}</span>.
                </>
              )}
            </p>
            <Reach
              flag={key}
              environment={environment.key}
              to={on ? "They move to what the rules say." : `They all move to ${setting.off}.`}
            />
          </div>
        ),
        confirm: `Turn ${word}`,
        danger: !on,
        quick,
        why: kill ? "kill switch" : quick ? `turned ${word} in the page` : "",
        run: (why) => edit.toggle(key, { environment: environment.key, on, why, if_revision: view.revision }),
        done: `${key} is ${word} in ${environment.name}`,
        undo: (why) => edit.toggle(key, { environment: environment.key, on: !on, why }),
        shown: view.flag,
        newest: () => client.fetchQuery({ ...flagQuery(key), staleTime: 0 }).then((v) => v.flag),
      });
      setAhead(({ [slot]: _, ...rest }) => rest);
    },
  };
}

//! Web: switching a flag. Optimistic: the switch moves at once and comes back when the server
//! refuses. Production asks for the reason first.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../api/edits";
import { flag as flagQuery, segmentation } from "../api/queries";
import type { Environment, FlagView } from "../api/types";
import { plural } from "../lib/numbers";
import { servedText } from "../lib/serve";
import { capital } from "../lib/spoken";
import { addDays, civil, now, ZONE } from "../lib/time";
import { useChange } from "../parts/Change";

/** People with an event of a flag since yesterday began. */
function useSeen(flag: string, environment: string, event: string) {
  const today = civil(now());
  const asked = useQuery({
    ...segmentation({
      environment,
      event,
      measure: "uniques",
      from: addDays(today, -1),
      to: today,
      zone: ZONE,
      by: null,
      limit: 10,
      filters: [{ property: "flag_key", op: "is", values: [flag] }],
    }),
    retry: false,
  });
  return { people: asked.data ? (asked.data.series[0]?.total ?? 0) : undefined, failed: asked.isError };
}

/** Whom a change will move, as far as the events of the flag tell: single answers, bulk answers, and the limit of both. */
export function Reach({ flag, environment }: { flag: string; environment: string }) {
  const shown = useSeen(flag, environment, "$exposure");
  const assigned = useSeen(flag, environment, "$assignment");
  const local = "SDKs that evaluate by themselves are seen only where they report it, so more people may be affected.";
  if (shown.failed || assigned.failed) return <p className="dim">How many people this affects could not be counted.</p>;
  if (shown.people === undefined || assigned.people === undefined)
    return <p className="dim">Counting whom this affects…</p>;
  if (shown.people + assigned.people === 0)
    return <p className="dim">No use of this flag was reported since yesterday. {local}</p>;
  const people = (n: number) => <b>{plural(n, "person", "people")}</b>;
  return (
    <p className="dim">
      Since yesterday, {shown.people > 0 && <>{people(shown.people)} were shown this flag</>}
      {shown.people > 0 && assigned.people > 0 && " and "}
      {assigned.people > 0 && <>it was handed out to {people(assigned.people)} with all other flags</>}. {local}
    </p>
  );
}

/** What is served now, and what will be. */
export function NowThen({ from, to }: { from: string; to: string }) {
  return (
    <dl className="now-then">
      <div>
        <dt>Now</dt>
        <dd>{capital(from)}</dd>
      </div>
      <div>
        <dt>Then</dt>
        <dd>{capital(to)}</dd>
      </div>
    </dl>
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
          <>
            <NowThen from={servedText(setting)} to={servedText(setting, on)} />
            <Reach flag={key} environment={environment.key} />
          </>
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

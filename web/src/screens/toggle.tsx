//! Web: switching a flag. Optimistic: the switch moves at once and comes back when the server
//! refuses. Production asks for the reason first.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../api/edits";
import { experiments, flag as flagQuery, flags, segmentation } from "../api/queries";
import type { Environment, FlagView } from "../api/types";
import { plural, share } from "../lib/numbers";
import { needers, servedText, uncounted, widening } from "../lib/serve";
import { and, capital, or } from "../lib/spoken";
import { stillText } from "../lib/steps";
import { addDays, civil, now, ZONE } from "../lib/time";
import { useChange } from "../parts/Change";
import { Bones } from "../parts/States";
import { Note } from "../parts/Words";
import { useAround } from "./around";

/** People with an event of a flag since yesterday began. */
function useSeen(flag: string, environment: string, event: string, enabled: boolean) {
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
    enabled,
  });
  return { people: asked.data ? (asked.data.series[0]?.total ?? 0) : undefined, failed: asked.isError };
}

/** Whom a change will move, as far as the events of the flag tell. Only who is in the split or the rollout of the
 * default is recorded: of a default that gives everybody one variant there is nothing to count, and 0 would be wrong. */
export function Reach({ view, environment }: { view: FlagView; environment: string }) {
  const flag = view.flag.key;
  const setting = view.flag.settings[environment];
  const around = useAround()(view, environment);
  const missed = setting && around ? uncounted(setting, around) : undefined;
  const asks = missed !== undefined && missed !== null;
  const shown = useSeen(flag, environment, "$exposure", asks);
  const assigned = useSeen(flag, environment, "$assignment", asks);
  if (missed === null)
    return (
      <p className="dim">
        How many people this affects is not known: Bellwether counts who is in the split or the rollout of a default,
        and this default serves one variant.
      </p>
    );
  const local = "SDKs that evaluate by themselves are seen only where they report it, so more people may be affected.";
  const beyond = missed?.length ? `Whoever ${or(missed)} is not counted, and ${local}` : capital(local);
  if (shown.failed || assigned.failed) return <p className="dim">How many people this affects could not be counted.</p>;
  if (shown.people === undefined || assigned.people === undefined)
    return <p className="dim">Counting whom this affects…</p>;
  if (shown.people + assigned.people === 0)
    return <p className="dim">Nobody was counted in its split since yesterday. {beyond}</p>;
  const people = (n: number) => <b>{plural(n, "person", "people")}</b>;
  return (
    <p className="dim">
      Since yesterday, {shown.people > 0 && <>{people(shown.people)} were enrolled by this flag</>}
      {shown.people > 0 && assigned.people > 0 && " and "}
      {assigned.people > 0 && <>it was handed out to {people(assigned.people)} with all other flags</>}. {beyond}
    </p>
  );
}

type OfFlag = { view: FlagView; environment: string };

/** What else goes by this flag here: experiments that run on it, a rollout that widens, flags that need it. */
export function Bound({ view, environment, on }: OfFlag & { on: boolean }) {
  const { key, settings } = view.flag;
  const asked = useQuery(experiments);
  const others = useQuery(flags());
  const running = (asked.data ?? []).filter(
    ({ experiment: e }) => e.flag === key && e.environment === environment && e.state.state === "running",
  );
  const setting = settings[environment];
  const rollout = setting && widening(setting);
  const needing = setting ? needers(others.data ?? [], key, environment, setting.off) : [];
  const unread = [asked.isError && "experiments run on it", others.isError && "other flags need it"].filter(Boolean);
  if (unread.length > 0)
    return (
      <Note tone="warn">
        <p>Whether {unread.join(" or ")} could not be read.</p>
      </Note>
    );
  if (running.length === 0 && !rollout && needing.length === 0) return null;
  return (
    <Note tone="warn">
      {running.map(({ experiment: e }) => (
        <p key={e.key}>
          Experiment <code className="mono">{e.key}</code> is running on it:{" "}
          {on
            ? "nobody was in it while the flag was off, and its results say so."
            : "while the flag is off nobody is in it, and its results will say so."}
        </p>
      ))}
      {rollout && (
        <p>
          The rollout of <b>{rollout.rollout.candidate}</b> is at {share(rollout.share)}:{" "}
          {on ? "it goes on from there." : "while the flag is off nobody is in it."} {stillText(rollout.rollout, on)}
        </p>
      )}
      {needing.length > 0 && (
        <p>
          {plural(needing.length, "flag needs", "flags need")} another variant than “{setting?.off}” of it, and{" "}
          {needing.length === 1 ? "serves its" : "serve their"} own off variant to everybody{" "}
          {on ? "while it is off" : "until it is on again"}: {and(needing)}.
        </p>
      )}
    </Note>
  );
}

/** Who gets what now, and once the flag is switched. */
function Served({ view, environment, on }: OfFlag & { on: boolean }) {
  const around = useAround()(view, environment);
  const setting = view.flag.settings[environment];
  if (!setting) return null;
  return around ? (
    <NowThen from={servedText(setting, around)} to={servedText(setting, around, on)} />
  ) : (
    <Bones lines={2} />
  );
}

/** What is served now, and what will be. */
export function NowThen({
  from,
  to,
  fromMore = [],
  toMore = [],
}: {
  from: string;
  to: string;
  fromMore?: string[];
  toMore?: string[];
}) {
  const more = (list: string[]) =>
    list.map((line) => (
      <span key={line} className="line">
        {capital(line)}
      </span>
    ));
  return (
    <dl className="now-then">
      <div>
        <dt>Now</dt>
        <dd>
          {capital(from)}
          {more(fromMore)}
        </dd>
      </div>
      <div>
        <dt>Then</dt>
        <dd>
          {capital(to)}
          {more(toMore)}
        </dd>
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
            <Served view={view} environment={environment.key} on={on} />
            <Bound view={view} environment={environment.key} on={on} />
            <Reach view={view} environment={environment.key} />
          </>
        ),
        confirm: `Turn ${word}`,
        danger: !on,
        quick,
        why: kill ? "kill switch" : quick ? `turned ${word} in the page` : "",
        // Off is off, whatever was changed since the page was loaded: a kill switch is never refused as late.
        run: (why) =>
          edit.toggle(key, { environment: environment.key, on, why, if_revision: on ? view.revision : undefined }),
        done: `${key} is ${word} in ${environment.name}`,
        undo: (because) => edit.toggle(key, { environment: environment.key, on: !on, ...because }),
        shown: view.flag,
        newest: () => client.fetchQuery({ ...flagQuery(key), staleTime: 0 }).then((v) => v.flag),
      });
      setAhead(({ [slot]: _, ...rest }) => rest);
    },
  };
}

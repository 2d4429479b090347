//! Web: switching a beta. Optimistic: the switch moves at once and comes back when the server refuses. Production asks
//! for the reason first, and is told who sees nothing of it.
import { Switch } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { beta as betaQuery } from "../../api/queries";
import type { BetaView, Environment } from "../../api/types";
import { audienceText, darkIn, isOn, servesText } from "../../lib/beta";
import { plural } from "../../lib/numbers";
import { capital } from "../../lib/spoken";
import { useChange } from "../../parts/Change";
import { Note } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { NowThen } from "../toggle";

/** `shows` is what the switch shows now; `ask` begins the change. */
export function useBetaSwitch() {
  const { change } = useChange();
  const client = useQueryClient();
  const [ahead, setAhead] = useState<Record<string, boolean>>({});
  const name = (view: BetaView, environment: string) => `${view.beta.key}\n${environment}`;
  return {
    shows: (view: BetaView, environment: string) => ahead[name(view, environment)] ?? isOn(view, environment),
    ask: async (view: BetaView, environment: Environment) => {
      const { key } = view.beta;
      const on = !isOn(view, environment.key);
      const word = on ? "on" : "off";
      const quick = !environment.production;
      const slot = name(view, environment.key);
      const dark = darkIn(view, environment.key);
      const [plain, shown] = ["the audience gets what everybody gets", servesText(view)];
      if (quick) setAhead((old) => ({ ...old, [slot]: on }));
      await change({
        title: `Turn beta ${key} ${word} in ${environment.name}?`,
        moves: (
          <>
            <NowThen from={on ? plain : shown} to={on ? shown : plain} />
            <p className="dim">Its audience: {audienceText(view)}.</p>
            {on && dark.length > 0 && (
              <div style={{ marginTop: 8 }}>
                <Note tone="warn">
                  <p>
                    {capital(plural(dark.length, "flag"))} of it {dark.length === 1 ? "is" : "are"} off in{" "}
                    {environment.name}: nobody sees {dark.join(", ")} until {dark.length === 1 ? "it is" : "they are"}{" "}
                    turned on.
                  </p>
                </Note>
              </div>
            )}
          </>
        ),
        confirm: `Turn ${word}`,
        danger: !on,
        quick,
        why: quick ? `turned ${word} in the page` : "",
        run: (why) => edit.switchBeta(key, { environment: environment.key, on, why, if_revision: view.revision }),
        done: `beta ${key} is ${word} in ${environment.name}`,
        undo: (because) => edit.switchBeta(key, { environment: environment.key, on: !on, ...because }),
        shown: view.beta,
        newest: () => client.fetchQuery({ ...betaQuery(key), staleTime: 0 }).then((v) => v.beta),
      });
      setAhead(({ [slot]: _, ...rest }) => rest);
    },
  };
}

type Props = {
  view: BetaView;
  environment: Environment;
  door: ReturnType<typeof useBetaSwitch>;
  size: "xs" | "sm" | "md";
};

/** The switch of a beta in one environment, with its word. */
export function BetaSwitch({ view, environment, door, size }: Props) {
  const may = useMay("editor");
  const on = door.shows(view, environment.key);
  return (
    <span className="switched" title={may.allowed ? undefined : may.reason}>
      <Switch
        size={size}
        checked={on}
        disabled={!may.allowed || view.beta.archived}
        withThumbIndicator={false}
        aria-label={`${view.beta.key} in ${environment.name}`}
        onChange={() => void door.ask(view, environment)}
      />
      <span aria-hidden className={on ? "strong" : "dim"}>
        {on ? "On" : "Off"}
      </span>
    </span>
  );
}

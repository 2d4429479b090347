//! Web: whose a flag is, the layer that it is in, and the holdouts that keep people from it.
import { Autocomplete, Button, Select } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import { flag as flagQuery, flags, holdouts, layers } from "../../api/queries";
import type { FlagView } from "../../api/types";
import { stretches } from "../../lib/layers";
import { share } from "../../lib/numbers";
import { useChange } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { useMay, type May } from "../../shell/may";
import { coversText } from "../Holdouts";
import { LayerBar } from "../Layers";

export function Belonging({ view }: { view: FlagView }) {
  const { flag } = view;
  const may = useMay("editor");
  const covering = useQuery(holdouts());
  const held = (covering.data ?? []).filter((v) => v.flags.includes(flag.key));
  return (
    <Section title="Belongs to">
      <div className="form">
        <Team view={view} may={may} />
        <InLayer view={view} may={may} />
        <div>
          <p className="label">Holdouts that cover it</p>
          {covering.isError ? (
            <p className="dim plain-p">They could not be read.</p>
          ) : held.length === 0 ? (
            <p className="dim plain-p">None: nobody is kept from it for the sake of comparison.</p>
          ) : (
            <ul className="plain" aria-label="Holdouts that cover it">
              {held.map(({ holdout: h }) => (
                <li key={h.key}>
                  <Link to="/holdouts/$holdout" params={{ holdout: h.key }}>
                    {h.name || h.key}
                  </Link>{" "}
                  keeps {share(h.share)} from {coversText(h.covers)}
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
    </Section>
  );
}

function Team({ view, may }: { view: FlagView; may: May }) {
  const { flag } = view;
  const { change } = useChange();
  const [team, setTeam] = useState(flag.team ?? "");
  const teams = [...new Set((useQuery(flags()).data ?? []).flatMap((v) => v.flag.team ?? []))];
  const wanted = team.trim() || null;
  return (
    <form
      className="inline"
      onSubmit={(e) => {
        e.preventDefault();
        void change({
          title: wanted ? `Give ${flag.key} to team ${wanted}?` : `Take ${flag.key} from team ${flag.team}?`,
          confirm: "Save",
          moves: (
            <p className="dim" style={{ margin: 0 }}>
              Holdouts of a team cover its flags: whoever they hold gets the off variant.
            </p>
          ),
          run: (why) => edit.team(flag.key, { team: wanted, why, if_revision: view.revision }),
          undo: (because) => edit.team(flag.key, { team: flag.team ?? null, ...because }),
          done: wanted ? `${flag.key} is of team ${wanted}` : `${flag.key} is of no team`,
        });
      }}
    >
      <Autocomplete
        label="Team"
        description="Whose it is. Holdouts may cover a team's flags."
        placeholder="nobody's"
        data={teams}
        value={team}
        onChange={setTeam}
      />
      <Button
        type="submit"
        variant="default"
        disabled={!may.allowed || wanted === (flag.team ?? null)}
        title={may.allowed ? undefined : may.reason}
      >
        Save team
      </Button>
    </form>
  );
}

/** No key of a layer is empty. */
const NONE = "";

function InLayer({ view, may }: { view: FlagView; may: May }) {
  const { flag } = view;
  const { change } = useChange();
  const client = useQueryClient();
  const all = useQuery(layers()).data ?? [];
  const fit = all.filter((v) => v.layer.unit === (flag.unit ?? "user") && !v.layer.archived);
  const mine = all.find((v) => v.layer.key === flag.layer);
  const pick = (to: string | null) => {
    if (to === (flag.layer ?? null)) return;
    const had = mine ? stretches(mine.layer.ranges, flag.key) : [];
    const part = all.find((v) => v.layer.key === to)?.parts.find((p) => p.flag === flag.key)?.share ?? 0;
    void change({
      title: to ? `Put ${flag.key} into layer ${to}?` : `Take ${flag.key} out of layer ${flag.layer}?`,
      confirm: to ? "Put it in" : "Take it out",
      danger: to !== null && part === 0,
      moves: to ? (
        part === 0 ? (
          <p style={{ margin: 0 }}>
            It has no part of <b>{to}</b> yet: <b>everybody gets its off variant</b> until it is given one there.
          </p>
        ) : (
          <p style={{ margin: 0 }}>It has {share(part)} of it: everybody else gets its off variant.</p>
        )
      ) : (
        <p style={{ margin: 0 }}>Nobody is outside its part any more, and it can meet any flag in one person.</p>
      ),
      run: (why) => edit.layer(flag.key, { layer: to, why, if_revision: view.revision }),
      undo: async ({ why, if_revision }) => {
        const back = flag.layer ?? null;
        // Its part was free since: it is given back first, to the same people, and only if nobody changed the flag.
        const now = await client.fetchQuery({ ...flagQuery(flag.key), staleTime: 0 });
        if (back === null || had.length === 0 || now.revision !== if_revision)
          return edit.layer(flag.key, { layer: back, why, if_revision });
        const { revision } = await edit.allot(back, { flag: flag.key, ranges: had, why });
        return edit.layer(flag.key, { layer: back, why, if_revision: revision });
      },
      done: to ? `${flag.key} is in layer ${to}` : `${flag.key} is in no layer`,
    });
  };
  return (
    <div>
      <Select
        label="Layer"
        description={
          fit.length > 0 || flag.layer
            ? "Flags of one layer never meet in one person."
            : `There is no layer that divides by ${flag.unit ?? "user"} yet.`
        }
        data={[
          { value: NONE, label: "In no layer" },
          ...[...new Set([...fit.map((v) => v.layer.key), ...(flag.layer ? [flag.layer] : [])])],
        ]}
        value={flag.layer ?? NONE}
        allowDeselect={false}
        disabled={!may.allowed || (fit.length === 0 && !flag.layer)}
        onChange={(to) => pick(to === NONE ? null : to)}
      />
      {mine && (
        <div style={{ marginTop: 12 }}>
          <LayerBar view={mine} />
          <p className="plain-p">
            <Link to="/layers/$layer" params={{ layer: mine.layer.key }}>
              Change its part in layer {mine.layer.name || mine.layer.key}
            </Link>
          </p>
        </div>
      )}
    </div>
  );
}

//! Web: gives a flag a part of a layer: the bar as it would be is shown before anything is changed.
import { Button, Group, Modal, NumberInput, Select, Stack } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { flag as flagQuery, flags } from "../../api/queries";
import type { LayerView } from "../../api/types";
import { allotted, moves, ownedBy, room, stretches } from "../../lib/layers";
import { share } from "../../lib/numbers";
import { useChange } from "../../parts/Change";
import { useFocusBack } from "../../parts/focus";
import { LayerBar } from "../Layers";

type Props = { view: LayerView; flag: string; close: () => void };

export function Allot({ view, flag: first, close }: Props) {
  useFocusBack();
  const { change } = useChange();
  const client = useQueryClient();
  const { layer } = view;
  const [flag, setFlag] = useState(first);
  const [percent, setPercent] = useState<number | string>(first ? ownedBy(layer.ranges, first) / 100 : 10);
  const all = (useQuery(flags()).data ?? []).map((v) => v.flag);
  const inside = view.parts.filter((p) => p.inside).map((p) => p.flag);
  const others = all.filter(
    (f) => !f.archived && !inside.includes(f.key) && f.layer == null && (f.unit ?? "user") === layer.unit,
  );
  const points = Math.round(Number(percent) * 100);
  const before = ownedBy(layer.ranges, flag);
  const most = room(layer.ranges, flag);
  const then = flag && percent !== "" ? allotted(layer.ranges, flag, points) : null;
  const joins = flag !== "" && !inside.includes(flag);
  const save = () => {
    if (!then) return;
    close();
    void change({
      title: `Give ${flag} ${share(points)} of layer ${layer.key}?`,
      confirm: "Save",
      moves: (
        <>
          <LayerBar view={view} label="Now" />
          <p className="dim bar-word">Now</p>
          <LayerBar view={view} ranges={then} label="Then" />
          <p className="dim bar-word">Then</p>
          <p>{moves(flag, before, points, joins)}</p>
        </>
      ),
      run: async (why) => {
        // The part first: at no moment is the flag in the layer without one, which would be off for everybody.
        const made = await edit.allot(layer.key, { flag, share: points, why, if_revision: view.revision });
        if (joins) await edit.layer(flag, { layer: layer.key, why });
        return made;
      },
      undo: async (because) => {
        if (!joins) return edit.allot(layer.key, { flag, ranges: stretches(layer.ranges, flag), ...because });
        // The flag has a revision of its own; it leaves only the layer that it was put into, with its part.
        const now = await client.fetchQuery({ ...flagQuery(flag), staleTime: 0 });
        if (now.flag.layer === layer.key)
          await edit.layer(flag, { layer: null, why: because.why, if_revision: now.revision });
        return undefined;
      },
      done: `${flag} has ${share(points)} of ${layer.key}`,
    });
  };
  return (
    <Modal opened onClose={close} title={`A part of layer ${layer.name || layer.key}`} size="lg">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          save();
        }}
      >
        <Stack gap="md">
          <Group gap="sm" align="flex-start">
            <Select
              label="Flag"
              style={{ flex: "1 1 200px" }}
              placeholder="Which flag"
              searchable
              allowDeselect={false}
              data-autofocus={first ? undefined : true}
              value={flag || null}
              data={[
                { group: "In the layer", items: inside },
                { group: "In no layer", items: others.map((f) => f.key) },
              ].filter((g) => g.items.length > 0)}
              nothingFoundMessage="No flag that could be in it has that key"
              onChange={(to) => {
                setFlag(to ?? "");
                if (to) setPercent(ownedBy(layer.ranges, to) / 100 || Math.min(10, room(layer.ranges, to) / 100));
              }}
            />
            <NumberInput
              label="Share of the population"
              suffix="%"
              w={190}
              min={0}
              max={100}
              decimalScale={2}
              data-autofocus={first ? true : undefined}
              value={percent}
              onChange={setPercent}
              description={flag ? `${share(most)} at most` : undefined}
              inputWrapperOrder={["label", "input", "description", "error"]}
              error={flag && points > most ? `Others leave ${share(most)}` : undefined}
            />
          </Group>
          <LayerBar view={view} ranges={then ?? layer.ranges} label={then ? "As it would be" : "As it is"} />
          {then && <p style={{ margin: 0 }}>{moves(flag, before, points, joins)}</p>}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!then || (points === before && !joins)}>
              Review
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

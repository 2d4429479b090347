//! Web: a flag's variants, to read and to change: values and what they are for may change, variants may be added, and
//! one that nothing uses may be removed.
import { Button, Group, Stack } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useState } from "react";

import { edit } from "../../api/edits";
import type { FlagView } from "../../api/types";
import { diff } from "../../lib/diff";
import { valueOf, written, type Row } from "../../lib/values";
import { useChange } from "../../parts/Change";
import { DataTable } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { VariantRows } from "../../parts/VariantRows";
import { Badge, Diff } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { useUnsaved } from "../../shell/Unsaved";

export function Variants({ view }: { view: FlagView }) {
  const { flag } = view;
  const may = useMay("editor");
  const [editing, setEditing] = useState<FlagView | null>(null);
  return (
    <Section title="Variants" about={`Values of kind ${flag.kind}. A split divides by ${flag.unit ?? "user"}.`}>
      {editing ? (
        <Editing from={editing} close={() => setEditing(null)} />
      ) : (
        <>
          <DataTable
            label="Variants"
            rows={flag.variants}
            id={(v) => v.key}
            columns={[
              { key: "key", head: "Variant", cell: (v) => <span className="strong nowrap">{v.key}</span> },
              { key: "value", head: "Value", cell: (v) => <code className="mono">{JSON.stringify(v.value)}</code> },
              {
                key: "description",
                head: "What it is for",
                wide: true,
                cell: (v) => v.description || <span className="dim">not described</span>,
              },
            ]}
          />
          <Group mt="sm">
            <Button
              variant="default"
              leftSection={<IconPencil size={15} aria-hidden />}
              disabled={!may.allowed}
              title={may.allowed ? undefined : may.reason}
              onClick={() => setEditing(view)}
            >
              Edit variants
            </Button>
          </Group>
        </>
      )}
    </Section>
  );
}

function Editing({ from, close }: { from: FlagView; close: () => void }) {
  const { flag } = from;
  const { change } = useChange();
  const { all } = useEnvironment();
  const [rows, setRows] = useState<Row[]>(
    flag.variants.map((v) => ({ key: v.key, value: written(flag.kind, v.value), description: v.description ?? "" })),
  );
  const old = flag.variants.map(({ key, value, description }) => ({ key, value, description: description ?? "" }));
  const now = rows.flatMap(({ key, value, description }) => {
    const found = valueOf(flag.kind, value);
    return "value" in found ? [{ key, value: found.value, description: description ?? "" }] : [];
  });
  const whole = now.length === rows.length && rows.every((r) => r.key !== "");
  const same = JSON.stringify(old) === JSON.stringify(now);
  useUnsaved(!same);
  const serving = all.filter((e) => e.production && flag.settings[e.key]?.on);
  const save = async () => {
    const made = await change({
      title: `Change the variants of ${flag.key}?`,
      confirm: "Save",
      moves: (
        <>
          <p style={{ marginTop: 0 }}>
            {serving.length > 0 && <Badge tone="production">on in {serving.map((e) => e.name).join(", ")}</Badge>}{" "}
            Nobody gets another variant, but whoever gets one whose value changes gets the new value at once.
          </p>
          <Diff label="What changes" lines={diff(old, now)} />
        </>
      ),
      run: (why) => edit.variants(flag.key, { variants: now, why, if_revision: from.revision }),
      undo: (because) => edit.variants(flag.key, { variants: old, ...because }),
      done: `${flag.key} has other variants`,
      shown: old,
      discard: close,
    });
    if (made) close();
  };
  return (
    <form
      aria-label="Variants"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Stack gap={6} mb="sm">
        <VariantRows
          kind={flag.kind}
          rows={rows}
          onChange={setRows}
          known={flag.variants.map((v) => v.key)}
          described
          fresh={{ key: `variant-${rows.length + 1}`, value: rows[0]?.value ?? "", description: "" }}
          where="last"
        />
      </Stack>
      <Group gap="xs">
        <Button type="submit" disabled={!whole || same}>
          Review and save
        </Button>
        <Button variant="default" onClick={close}>
          Discard
        </Button>
      </Group>
    </form>
  );
}

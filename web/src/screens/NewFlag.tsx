//! Web: a new flag. It is made switched off everywhere, so making one moves nobody.
import { Button, Group, Select, SegmentedControl, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import type { Kind, Unit } from "../api/types";
import { UNITS, unitOf } from "../lib/units";
import { valueOf, type Row } from "../lib/values";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page } from "../parts/Page";
import { Failed } from "../parts/States";
import { VariantRows } from "../parts/VariantRows";
import { useMay } from "../shell/may";
import { useUnsaved } from "../shell/Unsaved";

const FIRST: Record<Kind, Row[]> = {
  boolean: [
    { key: "on", value: "true" },
    { key: "off", value: "false" },
  ],
  string: [
    { key: "treatment", value: "new" },
    { key: "control", value: "old" },
  ],
  number: [
    { key: "treatment", value: "2" },
    { key: "control", value: "1" },
  ],
  json: [
    { key: "treatment", value: '{"layout": "grid"}' },
    { key: "control", value: '{"layout": "list"}' },
  ],
};

export function NewFlagScreen(): JSX.Element {
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const [name, setName] = useState("");
  const [key, setKey] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const [kind, setKind] = useState<Kind>("boolean");
  const [rows, setRows] = useState<Row[]>(FIRST.boolean);
  const [unit, setUnit] = useState<Unit>("user");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = key ?? keyed(name);
  const values = rows.map((row) => valueOf(kind, row.value));
  useUnsaved(name !== "" || description !== "");
  const create = async () => {
    setBusy(true);
    setError(null);
    try {
      await edit.createFlag({
        flag: id,
        name: name || id,
        description,
        kind,
        unit,
        variants: rows.map((row, i) => {
          const v = values[i];
          return { key: row.key, value: v && "value" in v ? v.value : null };
        }),
        off: rows[rows.length - 1]?.key,
        why: description || `created ${id}`,
      });
      await client.invalidateQueries();
      await navigate({ to: "/flags/$flag", params: { flag: id }, ignoreBlocker: true });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Page
      title="New flag"
      above={{ label: "Flags", to: "/flags" }}
      state="It starts switched off in every environment: making it moves nobody."
    >
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void create();
        }}
      >
        <TextInput
          label="Name"
          required
          autoFocus
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          placeholder="New checkout"
        />
        <KeyInput value={id} onChange={setKey} />
        <Textarea
          label="Description"
          description="What it is for, and when it can go."
          autosize
          minRows={2}
          value={description}
          onChange={(e) => setDescription(e.currentTarget.value)}
        />
        <Stack gap={4}>
          <Text size="sm" fw={500} id="kind">
            Kind
          </Text>
          <SegmentedControl
            aria-labelledby="kind"
            fullWidth
            value={kind}
            onChange={(v) => {
              const k = v as Kind;
              setKind(k);
              setRows(FIRST[k]);
            }}
            data={[
              { value: "boolean", label: "On or off" },
              { value: "string", label: "Text" },
              { value: "number", label: "Number" },
              { value: "json", label: "JSON" },
            ]}
          />
        </Stack>
        <Stack gap={6} role="group" aria-label="Variants">
          <div>
            <Text size="sm" fw={500}>
              Variants
            </Text>
            <Text size="xs" c="dimmed">
              The last one is served while the flag is off.
            </Text>
          </div>
          <VariantRows
            kind={kind}
            rows={rows}
            onChange={setRows}
            fresh={{ key: `variant-${rows.length + 1}`, value: FIRST[kind][0]?.value ?? "" }}
            where="first"
          />
        </Stack>
        <Select
          label="A split divides by"
          description="The same user, device, session or account always gets the same variant."
          value={unit}
          allowDeselect={false}
          onChange={(v) => setUnit(unitOf(v))}
          data={UNITS}
        />
        {error ? <Failed error={error} /> : null}
        <Group>
          <Button
            type="submit"
            loading={busy}
            disabled={!may.allowed || values.some((v) => "wrong" in v)}
            title={may.allowed ? undefined : may.reason}
          >
            Create flag
          </Button>
        </Group>
      </form>
    </Page>
  );
}

//! Web: a new flag. It is made switched off everywhere, so making one moves nobody.
import { ActionIcon, Button, Group, Select, SegmentedControl, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import type { Kind } from "../api/types";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page } from "../parts/Page";
import { Failed } from "../parts/States";
import { useMay } from "../shell/may";

type Row = { key: string; value: string };
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

/** The value that a text stands for in a kind, or why it does not. */
function valueOf(kind: Kind, text: string): { value: unknown } | { wrong: string } {
  if (kind === "string") return { value: text };
  try {
    const value: unknown = JSON.parse(text);
    const fits =
      kind === "boolean"
        ? typeof value === "boolean"
        : kind === "number"
          ? typeof value === "number"
          : typeof value === "object" && value !== null;
    return fits ? { value } : { wrong: `not a ${kind} value` };
  } catch {
    return { wrong: `not a ${kind} value` };
  }
}

export function NewFlagScreen(): JSX.Element {
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const [name, setName] = useState("");
  const [key, setKey] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const [kind, setKind] = useState<Kind>("boolean");
  const [rows, setRows] = useState<Row[]>(FIRST.boolean);
  const [unit, setUnit] = useState<"user" | "device">("user");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = key ?? keyed(name);
  const values = rows.map((row) => valueOf(kind, row.value));
  const set = (i: number, part: Partial<Row>) => setRows(rows.map((r, j) => (j === i ? { ...r, ...part } : r)));
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
      await navigate({ to: "/flags/$flag", params: { flag: id } });
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
          {rows.map((row, i) => {
            const found = values[i];
            return (
              <Group key={i} gap={6} align="flex-start" wrap="nowrap">
                <TextInput
                  aria-label={`Key of variant ${i + 1}`}
                  required
                  w={180}
                  value={row.key}
                  onChange={(e) => set(i, { key: e.currentTarget.value })}
                />
                <TextInput
                  aria-label={`Value of variant ${i + 1}`}
                  style={{ flex: 1 }}
                  classNames={{ input: "mono" }}
                  value={row.value}
                  disabled={kind === "boolean"}
                  error={found && "wrong" in found ? found.wrong : undefined}
                  onChange={(e) => set(i, { value: e.currentTarget.value })}
                />
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size={36}
                  disabled={rows.length <= 1 || kind === "boolean"}
                  aria-label={`Remove variant ${i + 1}`}
                  onClick={() => setRows(rows.filter((_, j) => j !== i))}
                >
                  <IconX size={16} aria-hidden />
                </ActionIcon>
              </Group>
            );
          })}
          {kind !== "boolean" && (
            <Group>
              <Button
                size="compact-sm"
                variant="subtle"
                leftSection={<IconPlus size={14} aria-hidden />}
                onClick={() =>
                  setRows([{ key: `variant-${rows.length + 1}`, value: FIRST[kind][0]?.value ?? "" }, ...rows])
                }
              >
                Add a variant
              </Button>
            </Group>
          )}
        </Stack>
        <Select
          label="A split divides by"
          description="The same user, or device, always gets the same variant."
          value={unit}
          allowDeselect={false}
          onChange={(v) => setUnit(v === "device" ? "device" : "user")}
          data={[
            { value: "user", label: "User (targetingKey, user_id)" },
            { value: "device", label: "Device (device_id)" },
          ]}
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

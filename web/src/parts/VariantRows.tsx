//! Web: variants as rows of a form: key, value and, where it matters, what each is for.
import { ActionIcon, Button, Group, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";

import type { Kind } from "../api/types";
import { valueOf, type Row } from "../lib/values";

type Props = {
  kind: Kind;
  rows: Row[];
  onChange: (rows: Row[]) => void;
  /** So many of the first rows are there already: their keys stay. */
  known?: string[];
  described?: boolean;
  /** The row that a new variant begins as. */
  fresh: Row;
  where: "first" | "last";
};

export function VariantRows({ kind, rows, onChange, known = [], described, fresh, where }: Props) {
  const set = (i: number, part: Partial<Row>) => onChange(rows.map((r, j) => (j === i ? { ...r, ...part } : r)));
  return (
    <>
      {rows.map((row, i) => {
        const found = valueOf(kind, row.value);
        const there = known.includes(row.key) && i < known.length;
        return (
          <div key={i} className="variant" data-described={described ? "" : undefined}>
            <TextInput
              aria-label={`Key of variant ${i + 1}`}
              required
              readOnly={there}
              title={there ? "A key stays: code and results know it" : undefined}
              value={row.key}
              onChange={(e) => set(i, { key: e.currentTarget.value })}
            />
            <TextInput
              aria-label={`Value of variant ${i + 1}`}
              classNames={{ input: "mono" }}
              value={row.value}
              disabled={kind === "boolean"}
              error={"wrong" in found ? found.wrong : undefined}
              onChange={(e) => set(i, { value: e.currentTarget.value })}
            />
            {described && (
              <TextInput
                aria-label={`What variant ${i + 1} is for`}
                placeholder="What it is for"
                value={row.description ?? ""}
                onChange={(e) => set(i, { description: e.currentTarget.value })}
              />
            )}
            <ActionIcon
              variant="subtle"
              color="gray"
              size={32}
              disabled={rows.length <= 1 || kind === "boolean"}
              aria-label={`Remove variant ${i + 1}`}
              onClick={() => onChange(rows.filter((_, j) => j !== i))}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </div>
        );
      })}
      {kind !== "boolean" && (
        <Group>
          <Button
            size="compact-sm"
            variant="subtle"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => onChange(where === "first" ? [fresh, ...rows] : [...rows, fresh])}
          >
            Add a variant
          </Button>
        </Group>
      )}
    </>
  );
}

//! Web: other flags that must serve a variant first, as a form.
import { ActionIcon, Button, Group, MultiSelect, Select } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { flags } from "../../api/queries";
import type { FlagView, Prerequisite } from "../../api/types";
import { Failed } from "../../parts/States";

type Props = {
  flag: string;
  environment: string;
  value: Prerequisite[];
  fault?: unknown;
  onChange: (value: Prerequisite[]) => void;
};

export function Prerequisites({ flag, environment, value, fault, onChange }: Props) {
  const all = ((useQuery(flags()).data ?? []) as FlagView[])
    .map((v) => v.flag)
    .filter((f) => f.key !== flag && !f.archived && f.settings[environment] !== undefined);
  const set = (i: number, one: Prerequisite) => onChange(value.map((old, j) => (i === j ? one : old)));
  const free = all.filter((f) => !value.some((p) => p.flag === f.key));
  return (
    <>
      {value.map((p, i) => {
        const parent = all.find((f) => f.key === p.flag);
        const variants = [...new Set([...(parent?.variants.map((v) => v.key) ?? []), ...p.variants])];
        return (
          <div className="needs" key={i}>
            <Select
              aria-label={`Flag of prerequisite ${i + 1}`}
              placeholder="Which flag"
              data={all.filter((f) => f.key === p.flag || free.includes(f)).map((f) => f.key)}
              value={p.flag || null}
              searchable
              allowDeselect={false}
              nothingFoundMessage="No other flag has that key"
              onChange={(to) => to && to !== p.flag && set(i, { flag: to, variants: [] })}
            />
            <span className="dim">serves</span>
            <MultiSelect
              aria-label={`Variants of prerequisite ${i + 1}`}
              placeholder={p.variants.length ? undefined : "Which variants will do"}
              data={variants}
              value={p.variants}
              disabled={!p.flag}
              onChange={(to) => set(i, { ...p, variants: to })}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              size={32}
              aria-label={`Remove prerequisite ${i + 1}`}
              onClick={() => onChange(value.filter((_, j) => j !== i))}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </div>
        );
      })}
      <Group>
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={free.length === 0}
          onClick={() => onChange([...value, { flag: "", variants: [] }])}
        >
          Add a prerequisite
        </Button>
      </Group>
      {fault !== undefined && (
        <div className="fault">
          <Failed error={fault} />
        </div>
      )}
    </>
  );
}

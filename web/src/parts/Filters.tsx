//! Web: conditions on events: all must hold, several values of one are alternatives.
import { ActionIcon, Button, Group, Select, Stack, TagsInput, Text } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";

import type { Properties } from "../api/types";
import { FILTER_OPS, type Filter, type FilterOp } from "../lib/search";
import { PropertyInput } from "./PropertyInput";

const WORDS: Record<FilterOp, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  does_not_contain: "does not contain",
  less: "<",
  less_or_equal: "≤",
  greater: ">",
  greater_or_equal: "≥",
};
const OPS = FILTER_OPS.map((value) => ({ value, label: WORDS[value] }));

type Props = {
  label: string;
  value: Filter[];
  onChange: (filters: Filter[]) => void;
  /** What the events have, to suggest properties and values. */
  known?: Properties;
  /** The event type; `null` for all. */
  event: string | null;
};

export function Filters({ label, value, onChange, known, event }: Props) {
  const set = (i: number, part: Partial<Filter>) => onChange(value.map((f, j) => (j === i ? { ...f, ...part } : f)));
  return (
    <Stack gap={6} role="group" aria-label={label}>
      {value.length > 0 && (
        <Text size="sm" fw={500}>
          {label}
        </Text>
      )}
      {value.map((filter, i) => (
        <div key={i} className="clause bare">
          <PropertyInput
            className="what"
            known={known}
            event={event}
            aria-label={`Property of condition ${i + 1}`}
            placeholder="Property"
            value={filter.property}
            onChange={(property) => set(i, { property })}
          />
          <Select
            className="test"
            aria-label={`Test of condition ${i + 1}`}
            data={OPS}
            value={filter.op}
            allowDeselect={false}
            onChange={(op) => set(i, { op: FILTER_OPS.find((o) => o === op) ?? "is" })}
          />
          <TagsInput
            className="values"
            aria-label={`Values of condition ${i + 1}`}
            placeholder={filter.values.length ? undefined : "Values"}
            data={known?.properties.find((p) => p.property === filter.property)?.examples.map((e) => e.value) ?? []}
            value={filter.values}
            acceptValueOnBlur
            onChange={(values) => set(i, { values })}
          />
          <ActionIcon
            className="remove"
            variant="subtle"
            color="gray"
            size={32}
            aria-label={`Remove condition ${i + 1}`}
            onClick={() => onChange(value.filter((_, j) => j !== i))}
          >
            <IconX size={16} aria-hidden />
          </ActionIcon>
        </div>
      ))}
      <Group>
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => onChange([...value, { property: "", op: "is", values: [] }])}
        >
          Add a condition
        </Button>
      </Group>
    </Stack>
  );
}

//! Web: conditions on events: all must hold, several values of one are alternatives.
import { ActionIcon, Button, Group, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";

import { FILTER_OPS, type Filter, type FilterOp } from "../lib/search";

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

type Props = { label: string; value: Filter[]; onChange: (filters: Filter[]) => void };

export function Filters({ label, value, onChange }: Props) {
  const set = (i: number, part: Partial<Filter>) => onChange(value.map((f, j) => (j === i ? { ...f, ...part } : f)));
  return (
    <Stack gap={6} role="group" aria-label={label}>
      {value.length > 0 && (
        <Text size="sm" fw={500}>
          {label}
        </Text>
      )}
      {value.map((filter, i) => (
        <Group key={i} gap={6} wrap="wrap" align="flex-start">
          <TextInput
            aria-label={`Property of condition ${i + 1}`}
            placeholder="property or user.plan"
            value={filter.property}
            w={180}
            onChange={(e) => set(i, { property: e.currentTarget.value })}
          />
          <Select
            aria-label={`Test of condition ${i + 1}`}
            data={OPS}
            value={filter.op}
            w={140}
            allowDeselect={false}
            onChange={(op) => set(i, { op: FILTER_OPS.find((o) => o === op) ?? "is" })}
          />
          <TagsInput
            aria-label={`Values of condition ${i + 1}`}
            placeholder={filter.values.length ? undefined : "value, Enter"}
            value={filter.values}
            acceptValueOnBlur
            style={{ flex: 1, minWidth: 160 }}
            onChange={(values) => set(i, { values })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            size={36}
            aria-label={`Remove condition ${i + 1}`}
            onClick={() => onChange(value.filter((_, j) => j !== i))}
          >
            <IconX size={16} aria-hidden />
          </ActionIcon>
        </Group>
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

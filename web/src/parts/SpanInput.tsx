//! Web: the field for a length of time, written `10m`, `2h` or `1d 12h`.
import { TextInput, type TextInputProps } from "@mantine/core";

import { readSpan, writeSpan } from "../lib/span";

type Props = Omit<TextInputProps, "value" | "onChange"> & { value: string; onChange: (text: string) => void };

export function SpanInput({ value, onChange, error, ...props }: Props) {
  const ms = readSpan(value);
  return (
    <TextInput
      placeholder="1d"
      spellCheck={false}
      autoComplete="off"
      {...props}
      value={value}
      error={error ?? (ms === null || ms === 0 ? "Write a time such as 10m, 2h or 1d" : undefined)}
      onChange={(e) => onChange(e.currentTarget.value)}
      // As it is read back, so that `90m` and `1h 30m` are seen to be the same.
      onBlur={(e) => {
        const read = readSpan(e.currentTarget.value);
        if (read) onChange(writeSpan(read));
      }}
    />
  );
}

//! Web: the field for a key, made from the name until somebody writes their own.
import { TextInput } from "@mantine/core";

/** A key from a name: `New Checkout!` is `new-checkout`. */
export function keyed(name: string): string {
  return name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
    .slice(0, 100);
}

const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function KeyInput({ value, onChange }: { value: string; onChange: (key: string) => void }) {
  const wrong = value !== "" && !KEY.test(value);
  return (
    <TextInput
      label="Key"
      description="What code and the API call it. It cannot be changed later."
      required
      value={value}
      classNames={{ input: "mono" }}
      spellCheck={false}
      autoComplete="off"
      error={wrong ? "Letters, digits, “.”, “_” and “-”, starting with a letter or digit" : undefined}
      onChange={(e) => onChange(e.currentTarget.value)}
    />
  );
}

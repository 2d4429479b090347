//! Web: for how many days events are kept; empty is for ever, or as long as their environment says.
import { NumberInput } from "@mantine/core";

type Props = {
  label: string;
  name?: string;
  description?: string;
  otherwise?: string;
  value: number | null;
  onChange: (days: number | null) => void;
};

export function Days({ label, name, description, otherwise = "for ever", value, onChange }: Props) {
  const short = value !== null && (value < 7 || value > 36_500);
  return (
    <NumberInput
      label={label}
      aria-label={name}
      description={description}
      placeholder={otherwise}
      maw={320}
      suffix={value === 1 ? " day" : " days"}
      allowDecimal={false}
      allowNegative={false}
      value={value ?? ""}
      error={short ? "7 to 36500 days: one that is sent again must be known for a week" : undefined}
      onChange={(v) => onChange(typeof v === "number" ? v : null)}
    />
  );
}

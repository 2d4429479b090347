//! Web: the field above a table that leaves of its rows those that hold a text.
import { TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";

type Props = {
  /** What is searched, as screen readers say it. */
  label: string;
  /** Which columns are looked at. */
  placeholder: string;
  value: string;
  /** Its width where there is room. */
  width?: number;
  /** Is told the text, and nothing when the field is empty: then the address holds none. */
  onSearch: (text: string | undefined) => void;
};

export function SearchInput({ label, placeholder, value, width = 280, onSearch }: Props) {
  return (
    <TextInput
      aria-label={label}
      placeholder={placeholder}
      value={value}
      w={width}
      maw="100%"
      leftSection={<IconSearch size={15} aria-hidden />}
      onChange={(e) => onSearch(e.currentTarget.value || undefined)}
    />
  );
}

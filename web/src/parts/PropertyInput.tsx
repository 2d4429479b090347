//! Web: the field for a property of events, with those that the newest events have, and a word of doubt
//! about one that none of them has.
import { Autocomplete, type AutocompleteProps } from "@mantine/core";
import { useState } from "react";

import type { Properties } from "../api/types";
import { count, plural } from "../lib/numbers";
import { typedOnly } from "./typed";

/** Why a property is doubtful: none of the newest events has it. `null` where there is no doubt. */
export function doubt(property: string, known: Properties | undefined, event: string | null): string | null {
  const what = event === null ? "events" : `“${event}” events`;
  if (!property || !known || known.cut > 0 || known.properties.some((p) => p.property === property)) return null;
  if (known.looked_at === 0) return `No ${what} have come in yet`;
  return known.looked_at === 1
    ? `The only one of the ${what} so far does not have it`
    : `None of the newest ${count(known.looked_at)} ${what} has it`;
}

type Props = Omit<AutocompleteProps, "data" | "onChange"> & {
  known?: Properties;
  /** The event type; `null` for all. */
  event: string | null;
  onChange: (property: string) => void;
};

export function PropertyInput({ known, event, value = "", ...rest }: Props) {
  const about = new Map(known?.properties.map((p) => [p.property, p]));
  // What the field held when it was entered filters nothing: only typing does.
  const [held, setHeld] = useState<string>();
  const wrong = doubt(value.trim(), known, event);
  return (
    <Autocomplete
      {...rest}
      value={value}
      data={[...about.keys()]}
      limit={100}
      filter={typedOnly(held)}
      onFocus={() => setHeld(value)}
      maxDropdownHeight={280}
      error={wrong ?? undefined}
      renderOption={({ option }) => {
        const property = about.get(option.value);
        return (
          <span className="property">
            <span>{option.value}</span>
            {property && (
              <span className="dim">
                {property.kinds.join(" or ")}, {plural(property.distinct, "value")}
              </span>
            )}
          </span>
        );
      }}
    />
  );
}

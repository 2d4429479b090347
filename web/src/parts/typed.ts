//! Web: the filter of a field with suggestions: what the field held already filters nothing, typing does.
import { defaultOptionsFilter, type OptionsFilter } from "@mantine/core";

/** All suggestions while the field still says `held`, and those that match once something else is typed. */
export function typedOnly(held: string | undefined): OptionsFilter {
  return ({ options, search, limit }) =>
    search === held ? options : (defaultOptionsFilter({ options, search, limit }) as typeof options);
}

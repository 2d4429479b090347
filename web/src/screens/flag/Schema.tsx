//! Web: the JSON Schema that the values of a flag must match.
import { Button, Group, JsonInput } from "@mantine/core";
import { useState } from "react";

import { edit } from "../../api/edits";
import type { FlagView } from "../../api/types";
import { diff } from "../../lib/diff";
import { useChange } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { Diff } from "../../parts/Words";
import { useMay } from "../../shell/may";

/** What was typed: nothing, a schema, or neither. */
function read(text: string): { schema: unknown } | null {
  if (text.trim() === "") return { schema: null };
  try {
    const schema: unknown = JSON.parse(text);
    return (typeof schema === "object" && schema !== null && !Array.isArray(schema)) || typeof schema === "boolean"
      ? { schema }
      : null;
  } catch {
    return null;
  }
}

export function Schema({ view }: { view: FlagView }) {
  const { flag } = view;
  const { change } = useChange();
  const may = useMay("editor");
  const was = flag.schema ?? null;
  const [text, setText] = useState(was === null ? "" : JSON.stringify(was, null, 2));
  const now = read(text);
  const same = now !== null && JSON.stringify(now.schema) === JSON.stringify(was);
  return (
    <Section
      title="Schema of the values"
      about="A JSON Schema that every variant's value must match; a value that does not is refused."
    >
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          if (!now) return;
          void change({
            title: now.schema === null ? `Take the schema of ${flag.key} away?` : `Set the schema of ${flag.key}?`,
            confirm: "Save",
            moves: (
              <>
                <p style={{ marginTop: 0 }}>What is served stays as it is.</p>
                <Diff label="What changes" lines={diff(was, now.schema)} />
              </>
            ),
            run: (why) => edit.schema(flag.key, { schema: now.schema, why, if_revision: view.revision }),
            undo: (because) => edit.schema(flag.key, { schema: was, ...because }),
            done: now.schema === null ? `${flag.key} has no schema` : `${flag.key} has a schema`,
          });
        }}
      >
        <JsonInput
          label="JSON Schema"
          placeholder={'{"type": "number", "minimum": 0}'}
          autosize
          minRows={3}
          maxRows={16}
          classNames={{ input: "mono" }}
          value={text}
          onChange={setText}
          error={now === null ? "This is not a JSON Schema yet" : undefined}
        />
        <Group>
          <Button
            type="submit"
            variant="default"
            disabled={!may.allowed || now === null || same}
            title={may.allowed ? undefined : may.reason}
          >
            Save schema
          </Button>
        </Group>
      </form>
    </Section>
  );
}

//! Web: what a flag is, whatever it serves: variants, whose it is, its layer and holdouts, the schema of its values, the
//! formats that carry it, its name, and the way to archive it.
import { Button, Group, TextInput, Textarea } from "@mantine/core";
import { useState } from "react";

import { edit } from "../../api/edits";
import type { FlagView } from "../../api/types";
import { useChange } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { Badge } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { Belonging } from "./Belonging";
import { Formats } from "./Formats";
import { Schema } from "./Schema";
import { Variants } from "./Variants";

export function SettingsTab({ view }: { view: FlagView }) {
  const { flag } = view;
  const { change } = useChange();
  const { all } = useEnvironment();
  const may = useMay("editor");
  const [name, setName] = useState(flag.name ?? "");
  const [description, setDescription] = useState(flag.description ?? "");
  const same = name === (flag.name ?? "") && description === (flag.description ?? "");
  const serving = all.filter((e) => e.production && flag.settings[e.key]?.on);
  return (
    <>
      <Variants view={view} />
      <Belonging view={view} />
      <Schema view={view} />
      <Formats view={view} />
      <Section title="Name and description">
        <form
          className="form"
          onSubmit={(e) => {
            e.preventDefault();
            void change({
              title: `Describe ${flag.key}?`,
              confirm: "Save",
              quick: true,
              why: "described it",
              done: `${flag.key} is described`,
              run: (why) => edit.describeFlag(flag.key, { name, description, why, if_revision: view.revision }),
              shown: flag,
            });
          }}
        >
          <TextInput label="Name" value={name} onChange={(e) => setName(e.currentTarget.value)} />
          <Textarea
            label="Description"
            autosize
            minRows={2}
            value={description}
            onChange={(e) => setDescription(e.currentTarget.value)}
          />
          <Group>
            <Button
              type="submit"
              variant="default"
              disabled={same || !may.allowed}
              title={may.allowed ? undefined : may.reason}
            >
              Save
            </Button>
          </Group>
        </form>
      </Section>
      <Section
        title={flag.archived ? "Restore" : "Archive"}
        about={
          flag.archived
            ? "It is served to nobody. Restoring brings back every setting."
            : "An archived flag is served to nobody: SDKs get the default in their code. It can be restored."
        }
      >
        <Group>
          <Button
            variant="default"
            disabled={!may.allowed}
            title={may.allowed ? undefined : may.reason}
            onClick={() =>
              void change({
                title: flag.archived ? `Restore ${flag.key}?` : `Archive ${flag.key}?`,
                confirm: flag.archived ? "Restore" : "Archive",
                danger: !flag.archived,
                moves:
                  serving.length > 0 && !flag.archived ? (
                    <p style={{ margin: 0 }}>
                      <Badge tone="production">on in {serving.map((e) => e.name).join(", ")}</Badge> Programs that ask
                      for it will get the default in their code.
                    </p>
                  ) : undefined,
                run: (why) => edit.archive(flag.key, { archived: !flag.archived, why, if_revision: view.revision }),
                undo: (because) => edit.archive(flag.key, { archived: Boolean(flag.archived), ...because }),
                done: flag.archived ? `${flag.key} is restored` : `${flag.key} is archived`,
              })
            }
          >
            {flag.archived ? "Restore flag" : "Archive flag"}
          </Button>
        </Group>
      </Section>
    </>
  );
}

//! Web: the way to archive something, to see what is archived, and to bring it back.
import { Button, Group, Switch } from "@mantine/core";

import { useMay } from "../shell/may";
import { useChange } from "./Change";
import { Section } from "./Page";

type Props = {
  what: string;
  name: string;
  archived: boolean;
  about: string;
  /** Why it cannot be archived now. */
  barred?: string;
  run: (archived: boolean, because: { why: string; if_revision?: number }) => Promise<{ revision: number }>;
};

export function Archive({ what, name, archived, about, barred, run }: Props) {
  const { change } = useChange();
  const may = useMay("editor");
  const word = archived ? "Restore" : "Archive";
  return (
    <Section title={word} about={archived ? "It is not offered any more. Restoring brings it back as it was." : about}>
      <Group>
        <Button
          variant="default"
          disabled={!may.allowed || (barred !== undefined && !archived)}
          title={may.allowed ? barred : may.reason}
          onClick={() =>
            void change({
              title: `${word} ${what} ${name}?`,
              confirm: word,
              danger: !archived,
              run: (why) => run(!archived, { why }),
              undo: (because) => run(archived, because),
              done: `${name} is ${archived ? "restored" : "archived"}`,
            })
          }
        >
          {word} {what}
        </Button>
        {barred && !archived && <span className="dim">{barred}</span>}
      </Group>
    </Section>
  );
}

/** Above a list: whether it shows what is archived, too. */
export function WithArchived({ on, onChange }: { on: boolean; onChange: (on: boolean) => void }) {
  return (
    <div className="row" style={{ marginBottom: 12 }}>
      <Switch size="xs" label="With archived" checked={on} onChange={(e) => onChange(e.currentTarget.checked)} />
    </div>
  );
}

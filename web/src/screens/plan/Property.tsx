//! Web: a property of an event type in the plan, as a form. It goes into the draft as a whole.
import { Button, Checkbox, Group, Modal, Select, Stack, TagsInput, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";

import type { PlannedProperty, PropertyKind, SeenProperty } from "../../api/types";
import { own } from "../../lib/own";
import {
  better,
  holdsValues,
  KINDS,
  lintOf,
  neatProperty,
  seenText,
  valuesOf,
  withEvent,
  withProperty,
} from "../../lib/plan";
import { nameText } from "../../lib/sent";
import { useFocusBack } from "../../parts/focus";
import { Failed } from "../../parts/States";
import { useMay } from "../../shell/may";
import { useChecked, type PlanDraft } from "./draft";
import { Suggestion } from "./Types";

type Props = {
  draft: PlanDraft;
  event: string;
  /** The name that it has in the draft; none of a new one. */
  was?: string;
  start: { name: string; planned: PlannedProperty; seen?: SeenProperty };
  close: () => void;
};

export function PropertyDialog({ draft, event, was, start, close }: Props) {
  useFocusBack();
  const may = useMay("editor");
  const [typed, setTyped] = useState(start.name);
  const [p, setP] = useState<PlannedProperty>(start.planned);
  const [texts, setTexts] = useState((start.planned.values ?? []).map(String));
  // No form shows a value of what is personal.
  const seen = start.seen && (p.personal || start.planned.personal ? { ...start.seen, examples: [] } : start.seen);
  const set = (part: Partial<PlannedProperty>) => setP({ ...p, ...part });
  const name = typed.trim();
  const type = own(draft.plan.events, event) ?? {};
  const taken = name !== was && own(type.properties, name) !== undefined;
  const planned = neatProperty({ ...p, values: valuesOf(texts, p) });
  const plan =
    name !== "" && !taken ? withEvent(draft.plan, event, withProperty(type, name, planned, was ?? name)) : null;
  const { checked, refused } = useChecked(plan);
  const lint = plan ? lintOf(checked?.warnings ?? [], event, name) : undefined;
  const put = () => {
    if (!plan || refused || !may.allowed) return;
    draft.set(plan);
    close();
  };
  return (
    <Modal
      opened
      onClose={close}
      title={was === undefined ? `New property of ${nameText(event)}` : `${nameText(was)} of ${nameText(event)}`}
      size="lg"
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          put();
        }}
      >
        <fieldset className="bare" disabled={!may.allowed} title={may.allowed ? undefined : may.reason}>
          <Stack gap="md">
            {seen && <p className="dim plain-p">It arrives as {seenText(seen)}.</p>}
            <div className="fields">
              <TextInput
                label="Name"
                required
                data-autofocus={was === undefined && start.name === "" ? "" : undefined}
                classNames={{ input: "mono" }}
                value={typed}
                error={taken ? "There is one of this name" : undefined}
                onChange={(e) => setTyped(e.currentTarget.value)}
              />
              <Select
                label="Holds"
                data={KINDS}
                value={p.type}
                allowDeselect={false}
                onChange={(v) => set({ type: (v ?? "any") as PropertyKind })}
              />
              {p.type === "list" && (
                <Select
                  label="Each of the list holds"
                  data={KINDS}
                  value={p.items ?? "any"}
                  allowDeselect={false}
                  onChange={(v) => set({ items: v === "any" || v === null ? null : (v as PropertyKind) })}
                />
              )}
            </div>
            <Suggestion lint={lint} name={better(lint)} onTake={setTyped} />
            {holdsValues(p) && (
              <TagsInput
                label="The only values that it may have"
                description="Empty allows all. Enter ends a value."
                value={texts}
                acceptValueOnBlur
                data={seen?.examples.map((e) => e.value) ?? []}
                onChange={setTexts}
              />
            )}
            <Group gap="lg">
              <Checkbox
                label="Required: each event has it"
                checked={p.required ?? false}
                onChange={(e) => set({ required: e.currentTarget.checked })}
              />
              <Checkbox
                label="Personal: it tells who somebody is"
                checked={p.personal ?? false}
                onChange={(e) => set({ personal: e.currentTarget.checked })}
              />
            </Group>
            <Textarea
              label="Description"
              autosize
              minRows={2}
              value={p.description ?? ""}
              onChange={(e) => set({ description: e.currentTarget.value })}
            />
            <TextInput
              label="Owner"
              description="The team, where that is not who answers for the event type."
              maw={320}
              value={p.owner ?? ""}
              onChange={(e) => set({ owner: e.currentTarget.value || null })}
            />
            {plan && refused && <Failed error={refused} />}
            <Group justify="space-between">
              {was === undefined ? (
                <span />
              ) : (
                <Button
                  variant="default"
                  onClick={() => {
                    draft.set(withEvent(draft.plan, event, withProperty(type, was, null)));
                    close();
                  }}
                >
                  Remove it
                </Button>
              )}
              <Group gap="xs">
                <Button variant="default" onClick={close}>
                  Cancel
                </Button>
                <Button type="submit" disabled={!plan || refused !== undefined}>
                  Keep in the draft
                </Button>
              </Group>
            </Group>
          </Stack>
        </fieldset>
      </form>
    </Modal>
  );
}

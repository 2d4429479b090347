//! Web: one rule as a form: its name, its conditions, what it serves, and where it stands among the others.
import { ActionIcon, Group, TextInput } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconGripVertical, IconX } from "@tabler/icons-react";
import type { DragEvent } from "react";

import type { RuleInput } from "../../api/types";
import type { Attribute } from "../../lib/attributes";
import { Conditions } from "../../parts/Conditions";
import { Failed } from "../../parts/States";
import { ServeForm } from "./ServeForm";

/** What the server says against a rule; with `attribute`, against its test of that. */
export type Fault = { error: unknown; said: string; attribute?: string };

type Props = {
  n: number;
  rule: RuleInput;
  variants: string[];
  last: boolean;
  known: Attribute[];
  segments: string[];
  fault?: Fault;
  /** Whether the rule that is dragged would come before or after this one. */
  drop?: "before" | "after";
  onChange: (rule: RuleInput) => void;
  onRemove: () => void;
  onMove: (by: -1 | 1) => void;
  onDrag: (what: "start" | "end") => void;
  onDragOver: (event: DragEvent) => void;
  onDrop: (event: DragEvent) => void;
};

export function RuleForm({ n, rule, variants, last, known, segments, fault, drop, ...on }: Props) {
  const here =
    fault?.attribute !== undefined && rule.when.flat().some((c) => "attribute" in c && c.attribute === fault.attribute);
  const move = (by: -1 | 1) => (by < 0 ? n > 1 : !last) && on.onMove(by);
  return (
    <fieldset
      className="rule"
      id={`rule-${n}`}
      data-drop={drop}
      onDragOver={on.onDragOver}
      onDrop={on.onDrop}
      onKeyDown={(e) => {
        if (!e.altKey || (e.key !== "ArrowUp" && e.key !== "ArrowDown")) return;
        e.preventDefault();
        move(e.key === "ArrowUp" ? -1 : 1);
      }}
    >
      <legend className="sr">Rule {n}</legend>
      <Group gap={6} mb={8} wrap="nowrap">
        <span
          className="grip"
          draggable
          title="Drag the rule to where it belongs"
          aria-hidden
          onDragStart={(e) => {
            e.dataTransfer.effectAllowed = "move";
            e.dataTransfer.setData("text/plain", `rule ${n}`);
            const card = e.currentTarget.closest("fieldset");
            if (card) e.dataTransfer.setDragImage(card, 12, 12);
            on.onDrag("start");
          }}
          onDragEnd={() => on.onDrag("end")}
        >
          <IconGripVertical size={16} />
        </span>
        <span className="n num">{n}</span>
        <TextInput
          aria-label={`Name of rule ${n}`}
          placeholder="What people call it"
          value={rule.name}
          style={{ flex: 1 }}
          onChange={(e) => on.onChange({ ...rule, name: e.currentTarget.value })}
        />
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={n === 1}
          aria-label={`Move rule ${n} up`}
          aria-keyshortcuts="Alt+ArrowUp"
          data-move="-1"
          onClick={() => move(-1)}
        >
          <IconArrowUp size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={last}
          aria-label={`Move rule ${n} down`}
          aria-keyshortcuts="Alt+ArrowDown"
          data-move="1"
          onClick={() => move(1)}
        >
          <IconArrowDown size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon variant="subtle" color="gray" aria-label={`Remove rule ${n}`} onClick={on.onRemove}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <Conditions
        of={`rule ${n}`}
        groups={rule.when}
        known={known}
        segments={segments}
        fault={here && fault?.attribute ? { attribute: fault.attribute, said: fault.said } : undefined}
        onChange={(when) => on.onChange({ ...rule, when })}
      />
      <ServeForm
        label={`Rule ${n} serves`}
        serve={rule.serve}
        variants={variants}
        rollout={false}
        onChange={(serve) => on.onChange({ ...rule, serve })}
      />
      {fault && !here && (
        <div className="fault">
          <Failed error={fault.error} />
        </div>
      )}
    </fieldset>
  );
}

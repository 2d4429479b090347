//! Web: the form of targeting: prerequisites, single ids, rules in order, default, off variant.
import { ActionIcon, Button, Group, Select, Textarea } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { ApiError } from "../../api/client";
import { properties, segments as segmentsQuery } from "../../api/queries";
import type { Flag } from "../../api/types";
import { attributesOf } from "../../lib/attributes";
import { atItsPlace, placeOf } from "../../lib/conditions";
import { moved, type Draft } from "../../lib/serve";
import { capital } from "../../lib/spoken";
import { Section } from "../../parts/Page";
import { Failed } from "../../parts/States";
import { Prerequisites } from "./Prerequisites";
import { RuleForm, type Fault } from "./RuleForm";
import { ServeForm } from "./ServeForm";

type Props = {
  flag: Flag;
  environment: string;
  draft: Draft;
  rollout: boolean;
  /** What the server says against the draft as it is. */
  refused?: unknown;
  onChange: (draft: Draft) => void;
};

function replaced<T>(list: T[], at: number, value: T): T[] {
  return list.map((old, i) => (i === at ? value : old));
}
function without<T>(list: T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}

export function TargetingForm({ flag, environment, draft, rollout, refused, onChange }: Props) {
  const variants = flag.variants.map((v) => v.key);
  const set = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  const unnamed = variants.filter((v) => !draft.targets.some((t) => t.variant === v));
  const known = attributesOf(useQuery(properties(environment, "_any")).data);
  const segments = (useQuery(segmentsQuery()).data ?? []).map((v) => v.segment.key);
  const order = useOrder(draft, (rules) => set({ rules }));
  const said = refused instanceof ApiError ? refused.message : undefined;
  const place = said === undefined ? null : placeOf(said, (rule = 0) => draft.rules[rule - 1]?.when);
  const fault = (n: number): Fault | undefined =>
    place?.part === "rule" && place.rule === n
      ? { error: refused, said: capital(atItsPlace(said ?? "")), attribute: place.attribute }
      : undefined;
  const astray =
    refused && (!place || place.part === "whole" || (place.part === "rule" && !draft.rules[(place.rule ?? 0) - 1]));
  return (
    <>
      <Section
        title="Prerequisites"
        about="Other flags that must serve one of these variants to the same person. Whoever lacks one gets the variant for off."
      >
        <Prerequisites
          flag={flag.key}
          environment={environment}
          value={draft.prerequisites}
          fault={place?.part === "prerequisites" ? refused : undefined}
          onChange={(prerequisites) => set({ prerequisites })}
        />
      </Section>
      <Section title="Single ids" about="They win over the rules. One id per line.">
        {draft.targets.map((t, i) => (
          <div className="rule" key={t.variant}>
            <Group justify="space-between" mb={6}>
              <span>
                get <b>{t.variant}</b>
              </span>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={`Remove the ids of ${t.variant}`}
                onClick={() => set({ targets: without(draft.targets, i) })}
              >
                <IconX size={16} aria-hidden />
              </ActionIcon>
            </Group>
            <Textarea
              aria-label={`Ids that get ${t.variant}`}
              autosize
              minRows={2}
              maxRows={10}
              classNames={{ input: "mono" }}
              value={t.ids.join("\n")}
              onChange={(e) => {
                const ids = e.currentTarget.value.split("\n");
                set({ targets: replaced(draft.targets, i, { ...t, ids }) });
              }}
              onBlur={() =>
                set({
                  targets: replaced(draft.targets, i, {
                    ...t,
                    ids: [...new Set(t.ids.map((id) => id.trim()).filter(Boolean))],
                  }),
                })
              }
            />
          </div>
        ))}
        <Group gap={6}>
          {unnamed.map((v) => (
            <Button
              key={v}
              size="compact-sm"
              variant="subtle"
              leftSection={<IconPlus size={14} aria-hidden />}
              onClick={() => set({ targets: [...draft.targets, { variant: v, ids: [] }] })}
            >
              Ids for {v}
            </Button>
          ))}
        </Group>
      </Section>
      <Section
        title="Rules"
        about="The first rule that matches decides. Drag a rule, use its arrows, or press Alt and an arrow key inside it."
      >
        {draft.rules.map((rule, i) => (
          <RuleForm
            key={i}
            n={i + 1}
            rule={rule}
            variants={variants}
            last={i === draft.rules.length - 1}
            known={known}
            segments={segments}
            fault={fault(i + 1)}
            drop={order.place(i)}
            onChange={(next) => set({ rules: replaced(draft.rules, i, next) })}
            onRemove={() => set({ rules: without(draft.rules, i) })}
            onMove={(by) => order.move(i, i + by)}
            onDrag={(what) => order.drag(what, i)}
            onDragOver={(e) => order.over(e, i)}
            onDrop={(e) => order.drop(e, i)}
          />
        ))}
        <span className="sr" role="status">
          {order.said}
        </span>
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() =>
            set({
              rules: [
                ...draft.rules,
                {
                  name: "",
                  when: [[{ attribute: "", op: "is", values: [] }]],
                  serve: { serve: "variant", variant: variants[0] ?? "" },
                },
              ],
            })
          }
        >
          Add a rule
        </Button>
      </Section>
      <Section title="Everybody else">
        <ServeForm
          label="Default"
          serve={draft.default}
          variants={variants}
          rollout={rollout}
          onChange={(serve) => set({ default: serve })}
        />
      </Section>
      <Section title="Off">
        <Select
          label="Variant while off"
          description="Also for whom a split has no id, a prerequisite is not met, or a layer or holdout keeps out."
          data={variants}
          value={draft.off}
          w={240}
          allowDeselect={false}
          onChange={(v) => set({ off: v ?? draft.off })}
        />
      </Section>
      {astray ? <Failed error={refused} /> : null}
    </>
  );
}

/** A rule that is dragged, and over which half of which rule it is. */
type Drag = { from: number; over: number | null; after: boolean };

/** Rules change places by mouse and by keyboard; the keyboard stays with the rule that it moves. */
function useOrder(draft: Draft, onChange: (rules: Draft["rules"]) => void) {
  const drag = useRef<Drag | null>(null);
  const [drawn, setDrawn] = useState<Drag | null>(null);
  const [said, setSaid] = useState("");
  const follow = useRef<{ rule: number; selector: string } | null>(null);
  useEffect(() => {
    if (!follow.current) return;
    const card = document.getElementById(`rule-${follow.current.rule + 1}`);
    const wanted = card?.querySelector<HTMLElement>(follow.current.selector);
    const usable = wanted?.matches(":disabled")
      ? card?.querySelector<HTMLElement>("[data-move]:not(:disabled)")
      : wanted;
    usable?.focus();
    follow.current = null;
  });
  const move = (from: number, to: number) => {
    if (to === from || to < 0 || to >= draft.rules.length) return;
    const focused = document.activeElement;
    const label = focused?.getAttribute("aria-label");
    if (focused instanceof HTMLElement && focused.dataset["move"])
      follow.current = { rule: to, selector: `[data-move="${focused.dataset["move"]}"]` };
    else if (label && focused?.closest("fieldset")?.id === `rule-${from + 1}`)
      follow.current = {
        rule: to,
        selector: `[aria-label="${CSS.escape(label.replace(`rule ${from + 1}`, `rule ${to + 1}`))}"]`,
      };
    onChange(moved(draft.rules, from, to));
    setSaid(`Rule ${from + 1} is now rule ${to + 1} of ${draft.rules.length}`);
  };
  // What the events of one drag say to one another stands in a ref: they may come faster than the page is drawn.
  const show = (to: Drag | null) => {
    drag.current = to;
    setDrawn(to);
  };
  return {
    said,
    move,
    place: (i: number): "before" | "after" | undefined =>
      drawn?.over === i && drawn.from !== i ? (drawn.after ? "after" : "before") : undefined,
    drag: (what: "start" | "end", i: number) => show(what === "start" ? { from: i, over: null, after: false } : null),
    /** It goes where it is let go, whatever was last drawn. */
    drop: (event: React.DragEvent, i: number) => {
      const now = drag.current;
      if (now === null) return;
      event.preventDefault();
      const slot = i + (lower(event) ? 1 : 0);
      move(now.from, slot > now.from ? slot - 1 : slot);
      show(null);
    },
    over: (event: React.DragEvent, i: number) => {
      const now = drag.current;
      if (now === null) return;
      event.preventDefault();
      const after = lower(event);
      if (now.over !== i || now.after !== after) show({ ...now, over: i, after });
    },
  };
}

/** Whether something is dragged over the lower half of what it is over. */
function lower(event: React.DragEvent): boolean {
  const box = event.currentTarget.getBoundingClientRect();
  return event.clientY > box.top + box.height / 2;
}

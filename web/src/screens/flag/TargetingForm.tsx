//! Web: the form of targeting: single ids, rules in order, default, off variant.
import {
  ActionIcon,
  Button,
  Group,
  NumberInput,
  Select,
  SegmentedControl,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconPlus, IconX } from "@tabler/icons-react";

import type { Clause, Flag, Op, RuleInput, ServeInput } from "../../api/types";
import { laidOut, OPS, type Draft } from "../../lib/serve";
import { Section } from "../../parts/Page";
import { ShareBar } from "../../parts/Words";

type Props = { flag: Flag; draft: Draft; rollout: boolean; onChange: (draft: Draft) => void };
const OP_DATA = OPS.map(([value, label]) => ({ value, label }));

function replaced<T>(list: T[], at: number, value: T): T[] {
  return list.map((old, i) => (i === at ? value : old));
}
function without<T>(list: T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}

export function TargetingForm({ flag, draft, rollout, onChange }: Props) {
  const variants = flag.variants.map((v) => v.key);
  const set = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  const move = (from: number, to: number) => {
    const rules = [...draft.rules];
    const [one] = rules.splice(from, 1);
    if (one) rules.splice(to, 0, one);
    set({ rules });
  };
  const unnamed = variants.filter((v) => !draft.targets.some((t) => t.variant === v));
  return (
    <>
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
      <Section title="Rules" about="The first rule that matches decides.">
        {draft.rules.map((rule, i) => (
          <RuleForm
            key={i}
            n={i + 1}
            rule={rule}
            variants={variants}
            last={i === draft.rules.length - 1}
            onChange={(next) => set({ rules: replaced(draft.rules, i, next) })}
            onRemove={() => set({ rules: without(draft.rules, i) })}
            onMove={(by) => move(i, i + by)}
          />
        ))}
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
          description="Also for whom a split has no id."
          data={variants}
          value={draft.off}
          w={240}
          allowDeselect={false}
          onChange={(v) => set({ off: v ?? draft.off })}
        />
      </Section>
    </>
  );
}

type RuleProps = {
  n: number;
  rule: RuleInput;
  variants: string[];
  last: boolean;
  onChange: (rule: RuleInput) => void;
  onRemove: () => void;
  onMove: (by: -1 | 1) => void;
};

function RuleForm({ n, rule, variants, last, onChange, onRemove, onMove }: RuleProps) {
  const setGroup = (g: number, group: Clause[]) =>
    onChange({ ...rule, when: group.length ? replaced(rule.when, g, group) : without(rule.when, g) });
  const blank: Clause = { attribute: "", op: "is", values: [] };
  return (
    <fieldset className="rule">
      <legend className="sr">Rule {n}</legend>
      <Group gap={6} mb={8} wrap="nowrap">
        <span className="n num">{n}</span>
        <TextInput
          aria-label={`Name of rule ${n}`}
          placeholder="What people call it"
          value={rule.name}
          style={{ flex: 1 }}
          onChange={(e) => onChange({ ...rule, name: e.currentTarget.value })}
        />
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={n === 1}
          aria-label={`Move rule ${n} up`}
          onClick={() => onMove(-1)}
        >
          <IconArrowUp size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          disabled={last}
          aria-label={`Move rule ${n} down`}
          onClick={() => onMove(1)}
        >
          <IconArrowDown size={16} aria-hidden />
        </ActionIcon>
        <ActionIcon variant="subtle" color="gray" aria-label={`Remove rule ${n}`} onClick={onRemove}>
          <IconX size={16} aria-hidden />
        </ActionIcon>
      </Group>
      <Stack gap={6} mb={12}>
        {rule.when.map((group, g) => (
          <div key={g}>
            {g > 0 && (
              <Text size="sm" c="dimmed" my={4}>
                or
              </Text>
            )}
            {group.map((clause, c) => (
              <div key={c} className="clause">
                <Text className="word" size="sm" c="dimmed" mt={6}>
                  {c === 0 ? "if" : "and"}
                </Text>
                <TextInput
                  className="what"
                  aria-label={`Attribute ${c + 1} of rule ${n}`}
                  placeholder="plan"
                  value={clause.attribute}
                  onChange={(e) => setGroup(g, replaced(group, c, { ...clause, attribute: e.currentTarget.value }))}
                />
                <Select
                  className="test"
                  aria-label={`Test ${c + 1} of rule ${n}`}
                  data={OP_DATA}
                  value={clause.op}
                  allowDeselect={false}
                  onChange={(op) => setGroup(g, replaced(group, c, { ...clause, op: (op ?? "is") as Op }))}
                />
                <TagsInput
                  className="values"
                  aria-label={`Values ${c + 1} of rule ${n}`}
                  placeholder={clause.values.length ? undefined : "Values"}
                  value={clause.values}
                  acceptValueOnBlur
                  onChange={(values) => setGroup(g, replaced(group, c, { ...clause, values }))}
                />
                <ActionIcon
                  className="remove"
                  variant="subtle"
                  color="gray"
                  size={32}
                  aria-label={`Remove test ${c + 1} of rule ${n}`}
                  onClick={() => setGroup(g, without(group, c))}
                >
                  <IconX size={16} aria-hidden />
                </ActionIcon>
              </div>
            ))}
            <Group gap={4} ml={34}>
              <Button
                size="compact-sm"
                variant="subtle"
                leftSection={<IconPlus size={14} aria-hidden />}
                onClick={() => setGroup(g, [...group, blank])}
              >
                and
              </Button>
              {g === rule.when.length - 1 && (
                <Button
                  size="compact-sm"
                  variant="subtle"
                  leftSection={<IconPlus size={14} aria-hidden />}
                  onClick={() => onChange({ ...rule, when: [...rule.when, [blank]] })}
                >
                  or
                </Button>
              )}
            </Group>
          </div>
        ))}
      </Stack>
      <ServeForm
        label={`Rule ${n} serves`}
        serve={rule.serve}
        variants={variants}
        rollout={false}
        onChange={(serve) => onChange({ ...rule, serve })}
      />
    </fieldset>
  );
}

type ServeProps = {
  label: string;
  serve: ServeInput;
  variants: string[];
  rollout: boolean;
  onChange: (serve: ServeInput) => void;
};

/** One variant, or shares that add up. */
export function ServeForm({ label, serve, variants, rollout, onChange }: ServeProps) {
  const kinds = [
    { value: "variant", label: "One variant" },
    { value: "split", label: "A split" },
    ...(rollout ? [{ value: "rollout", label: "The rollout" }] : []),
  ];
  const pick = (kind: string) => {
    if (kind === serve.serve) return;
    if (kind === "rollout") return onChange({ serve: "rollout" });
    if (kind === "variant") return onChange({ serve: "variant", variant: variants[0] ?? "" });
    const even = Math.floor(10_000 / variants.length);
    return onChange({
      serve: "split",
      rest: null,
      shares: variants.map((variant, i) => ({
        variant,
        share: i === 0 ? 10_000 - even * (variants.length - 1) : even,
      })),
    });
  };
  return (
    <Stack gap="sm" role="group" aria-label={label}>
      <Group>
        <SegmentedControl aria-label={label} value={serve.serve} onChange={pick} data={kinds} />
      </Group>
      {serve.serve === "variant" && (
        <Select
          aria-label={`${label}: variant`}
          data={variants}
          value={serve.variant}
          w={240}
          allowDeselect={false}
          onChange={(variant) => onChange({ serve: "variant", variant: variant ?? serve.variant })}
        />
      )}
      {serve.serve === "split" && <SplitForm serve={serve} variants={variants} onChange={onChange} />}
      {serve.serve === "rollout" && (
        <Text size="sm" c="dimmed">
          Steered on the tab Rollout and guard.
        </Text>
      )}
    </Stack>
  );
}

function SplitForm({
  serve,
  variants,
  onChange,
}: {
  serve: Extract<ServeInput, { serve: "split" }>;
  variants: string[];
  onChange: (serve: ServeInput) => void;
}) {
  const points = (v: string) => serve.shares.find((s) => s.variant === v)?.share ?? 0;
  const sum = variants.reduce((n, v) => n + points(v), 0);
  const set = (variant: string, percent: number) => {
    // In the order in which they stand, so that the difference shows the numbers and nothing else.
    const named = serve.shares.some((s) => s.variant === variant)
      ? serve.shares
      : [...serve.shares, { variant, share: 0 }];
    const shares = named.map((s) => (s.variant === variant ? { variant, share: Math.round(percent * 100) } : s));
    onChange({ ...serve, shares: shares.filter((s) => s.share > 0 || s.variant === serve.rest) });
  };
  return (
    <>
      <Group gap="sm" align="flex-end">
        {variants.map((v) => (
          <NumberInput
            key={v}
            label={v}
            suffix="%"
            w={120}
            min={0}
            max={100}
            decimalScale={2}
            value={points(v) / 100}
            onChange={(value) => set(v, Number(value) || 0)}
          />
        ))}
        <Select
          label="Not enrolled"
          placeholder="nobody"
          description={undefined}
          data={variants}
          clearable
          clearButtonProps={{ "aria-label": "Everybody is enrolled" }}
          value={serve.rest ?? null}
          w={150}
          onChange={(rest) =>
            onChange({
              ...serve,
              rest,
              shares:
                rest && !serve.shares.some((s) => s.variant === rest)
                  ? [...serve.shares, { variant: rest, share: 0 }]
                  : serve.shares,
            })
          }
        />
      </Group>
      <Text size="sm" c={sum === 10_000 ? "dimmed" : undefined} role="status">
        {sum === 10_000 ? (
          "Shares add up to 100%. Growth takes from those who are not enrolled; whoever has a variant keeps it as long as its share does not shrink."
        ) : (
          <b>
            Shares add up to {sum / 100}%:{" "}
            {sum < 10_000 ? `${(10_000 - sum) / 100}% are missing` : `${(sum - 10_000) / 100}% are too many`}.
          </b>
        )}
      </Text>
      <ShareBar ranges={laidOut(serve.shares, serve.rest)} variants={variants} rest={serve.rest} />
    </>
  );
}

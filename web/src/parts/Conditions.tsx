//! Web: groups of conditions, written as a form: any group, all conditions of it. Rules and segments are made of them.
import { ActionIcon, Autocomplete, Button, Group, Select, TagsInput, Text } from "@mantine/core";
import { IconPlus, IconUsersGroup, IconX } from "@tabler/icons-react";
import { useState } from "react";

import type { Clause, Condition, InSegment, Op } from "../api/types";
import type { Attribute } from "../lib/attributes";
import { doubtful, EXAMPLES, isSegment, OP_GROUPS, opHint, takes } from "../lib/conditions";
import { plural } from "../lib/numbers";
import { exact } from "../lib/time";
import { typedOnly } from "./typed";

type Props = {
  /** What the conditions are of, for the labels: `rule 2`. */
  of: string;
  groups: Condition[][];
  onChange: (groups: Condition[][]) => void;
  /** What contexts have, as far as the events tell. */
  known: Attribute[];
  /** The segments that may be asked for; `null` where none may. */
  segments: string[] | null;
  /** What the server refuses, at the test of this attribute. */
  fault?: { attribute: string; said: string };
};

const blank: Clause = { attribute: "", op: "is", values: [] };

function replaced<T>(list: T[], at: number, value: T): T[] {
  return list.map((old, i) => (i === at ? value : old));
}
function without<T>(list: T[], at: number): T[] {
  return list.filter((_, i) => i !== at);
}

export function Conditions({ of, groups, onChange, known, segments, fault }: Props) {
  const set = (g: number, group: Condition[]) =>
    onChange(group.length ? replaced(groups, g, group) : without(groups, g));
  const before = (g: number) => groups.slice(0, g).reduce((n, group) => n + group.length, 0);
  const add = (group: Condition, word: string, to: (condition: Condition) => void) => (
    <Button
      size="compact-sm"
      variant="subtle"
      leftSection={isSegment(group) ? <IconUsersGroup size={14} aria-hidden /> : <IconPlus size={14} aria-hidden />}
      onClick={() => to(group)}
    >
      {word}
    </Button>
  );
  return (
    <div className="groups">
      {groups.map((group, g) => (
        <div key={g} className="group" role="group" aria-label={`Group ${g + 1} of ${of}`}>
          {g > 0 && (
            <Text size="sm" className="or">
              or
            </Text>
          )}
          {group.map((condition, c) => {
            const row = {
              first: c === 0,
              name: `condition ${before(g) + c + 1} of ${of}`,
              remove: () => set(g, without(group, c)),
            };
            return isSegment(condition) ? (
              <SegmentRow
                key={c}
                {...row}
                condition={condition}
                segments={segments ?? []}
                onChange={(next) => set(g, replaced(group, c, next))}
              />
            ) : (
              <ClauseRow
                key={c}
                {...row}
                clause={condition}
                known={known}
                fault={fault?.attribute === condition.attribute ? fault.said : undefined}
                onChange={(next) => set(g, replaced<Condition>(group, c, next))}
              />
            );
          })}
          <Group gap={4} className="more">
            {add(blank, "and", (one) => set(g, [...group, one]))}
            {segments && add({ segment: "" }, "and segment", (one) => set(g, [...group, one]))}
            {g === groups.length - 1 && add(blank, "or", (one) => onChange([...groups, [one]]))}
          </Group>
        </div>
      ))}
      {groups.length === 0 && (
        <Group gap={4}>
          {add(blank, "Add a condition", (one) => onChange([[one]]))}
          {segments && add({ segment: "" }, "Add a segment", (one) => onChange([[one]]))}
        </Group>
      )}
    </div>
  );
}

type RowProps = { first: boolean; name: string; remove: () => void };

function Frame({
  first,
  name,
  remove,
  segment,
  children,
}: RowProps & { segment?: boolean; children: React.ReactNode }) {
  return (
    <div className="clause" data-segment={segment ? "" : undefined}>
      <Text className="word" size="sm" c="dimmed" mt={6}>
        {first ? "if" : "and"}
      </Text>
      {children}
      <ActionIcon
        className="remove"
        variant="subtle"
        color="gray"
        size={32}
        aria-label={`Remove ${name}`}
        onClick={remove}
      >
        <IconX size={16} aria-hidden />
      </ActionIcon>
    </div>
  );
}

function ClauseRow({
  clause,
  known,
  fault,
  onChange,
  ...row
}: RowProps & { clause: Clause; known: Attribute[]; fault?: string; onChange: (clause: Clause) => void }) {
  const about = known.find((a) => a.name === clause.attribute);
  const kind = takes(clause.op);
  const doubt = doubtful(clause);
  return (
    <Frame {...row}>
      <AttributeInput
        label={`Attribute of ${row.name}`}
        known={known}
        value={clause.attribute}
        onChange={(attribute) => onChange({ ...clause, attribute })}
      />
      <Select
        className="test"
        aria-label={`Test of ${row.name}`}
        data={OP_GROUPS}
        value={clause.op}
        allowDeselect={false}
        searchable
        maxDropdownHeight={360}
        renderOption={({ option }) => (
          <span className="property">
            <span>{option.label}</span>
            {opHint(option.value) && <span className="dim">{opHint(option.value)}</span>}
          </span>
        )}
        comboboxProps={{ width: 260, position: "bottom-start", shadow: "none" }}
        onChange={(op) => onChange({ ...clause, op: (op ?? "is") as Op })}
      />
      <TagsInput
        className="values"
        aria-label={`Values of ${row.name}`}
        placeholder={clause.values.length ? undefined : EXAMPLES[kind]}
        // A pattern may have commas.
        splitChars={kind === "pattern" ? [] : [","]}
        inputMode={kind === "number" ? "decimal" : undefined}
        spellCheck={false}
        data={kind === "pattern" ? [] : (about?.examples ?? [])}
        maxDropdownHeight={280}
        value={clause.values}
        acceptValueOnBlur
        classNames={kind === "pattern" || kind === "network" ? { pill: "mono", inputField: "mono" } : undefined}
        description={kind === "date" ? whenRead(clause.values) : undefined}
        inputWrapperOrder={["input", "description", "error"]}
        error={doubt ?? fault}
        onChange={(values) => onChange({ ...clause, values })}
      />
    </Frame>
  );
}

/** The times as they are understood, in the zone of the page. */
function whenRead(values: string[]): string | undefined {
  const times = values.map((v) => (/^-?\d+$/.test(v) ? Number(v) : Date.parse(v))).filter((t) => !Number.isNaN(t));
  return times.length > 0 && times.every((t) => Math.abs(t) < 8.64e15) ? times.map(exact).join(", ") : undefined;
}

function SegmentRow({
  condition,
  segments,
  onChange,
  ...row
}: RowProps & { condition: InSegment; segments: string[]; onChange: (condition: InSegment) => void }) {
  const all = condition.segment && !segments.includes(condition.segment) ? [condition.segment, ...segments] : segments;
  return (
    <Frame {...row} segment>
      <Select
        className="what"
        aria-label={`Membership of ${row.name}`}
        data={[
          { value: "in", label: "is in segment" },
          { value: "not", label: "is not in segment" },
        ]}
        value={condition.not ? "not" : "in"}
        allowDeselect={false}
        onChange={(v) => onChange({ segment: condition.segment, ...(v === "not" ? { not: true } : {}) })}
      />
      <Select
        className="segment"
        aria-label={`Segment of ${row.name}`}
        placeholder={all.length ? "Which segment" : "There is no segment yet"}
        data={all}
        value={condition.segment || null}
        searchable
        allowDeselect={false}
        nothingFoundMessage="No segment has that key"
        onChange={(segment) => onChange({ ...condition, segment: segment ?? condition.segment })}
      />
    </Frame>
  );
}

function AttributeInput({
  label,
  known,
  value,
  onChange,
}: {
  label: string;
  known: Attribute[];
  value: string;
  onChange: (attribute: string) => void;
}) {
  const [held, setHeld] = useState<string>();
  const about = new Map(known.map((a) => [a.name, a]));
  return (
    <Autocomplete
      className="what"
      aria-label={label}
      placeholder="plan"
      value={value}
      data={[...about.keys()]}
      limit={100}
      filter={typedOnly(held)}
      onFocus={() => setHeld(value)}
      maxDropdownHeight={280}
      spellCheck={false}
      comboboxProps={{ width: 300, position: "bottom-start", shadow: "none" }}
      onChange={onChange}
      renderOption={({ option }) => {
        const attribute = about.get(option.value);
        return (
          <span className="property">
            <span>{option.value}</span>
            {attribute && (
              <span className="dim">
                {attribute.distinct === null
                  ? attribute.kinds
                  : `${attribute.kinds}, ${plural(attribute.distinct, "value")}`}
              </span>
            )}
          </span>
        );
      }}
    />
  );
}

//! Web: the steps of a ramp as rows of a form: a share, and how long it is held.
import { ActionIcon, Button, Group, NumberInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";

import { writeSpan } from "../../lib/span";
import { lasts, PRESETS, sameRows, stepsOf, wrongStep, type StepRow } from "../../lib/steps";
import { capital } from "../../lib/spoken";
import { SpanInput } from "../../parts/SpanInput";

type Props = {
  rows: StepRow[];
  onChange: (rows: StepRow[]) => void;
  /** The share that there is already, in basis points: the first step is no less. */
  least?: number;
};

export function StepRows({ rows, onChange, least = 0 }: Props) {
  const wrong = wrongStep(rows, least);
  const set = (i: number, part: Partial<StepRow>) => onChange(rows.map((r, j) => (j === i ? { ...r, ...part } : r)));
  const last = rows.at(-1);
  const fault = (row: number, part: "share" | "hold") =>
    wrong?.row === row && wrong.part === part ? capital(wrong.said) : undefined;
  const presets = PRESETS.filter((p) => wrongStep(p.rows, least) === null);
  const add = () => {
    const from = last?.percent ?? 0;
    onChange([...rows, { percent: from < 10 ? 10 : from < 50 ? 50 : 100, hold: last?.hold || "1d" }]);
  };
  return (
    <div role="group" aria-label="Steps">
      <p className="label">Steps</p>
      <ol className="step-rows">
        {rows.map((row, i) => (
          <li key={i} className="step-row">
            <NumberInput
              aria-label={`Share of step ${i + 1}`}
              suffix="%"
              min={0.01}
              max={100}
              decimalScale={2}
              value={row.percent}
              error={fault(i, "share")}
              onChange={(v) => set(i, { percent: Number(v) || 0 })}
            />
            {i < rows.length - 1 ? (
              <SpanInput
                aria-label={`How long step ${i + 1} is held`}
                leftSection={<span className="dim">for</span>}
                leftSectionWidth={36}
                value={row.hold}
                error={fault(i, "hold")}
                onChange={(hold) => set(i, { hold })}
              />
            ) : (
              <span className="dim until">
                {row.percent >= 100 ? "which finishes the rollout" : "until somebody widens it"}
              </span>
            )}
            <ActionIcon
              variant="subtle"
              color="gray"
              size={32}
              disabled={rows.length <= 1}
              aria-label={`Remove step ${i + 1}`}
              onClick={() => onChange(rows.filter((_, j) => j !== i))}
            >
              <IconX size={16} aria-hidden />
            </ActionIcon>
          </li>
        ))}
      </ol>
      <Group gap={4} className="more">
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={(last?.percent ?? 0) >= 100}
          onClick={add}
        >
          Add a step
        </Button>
      </Group>
      {presets.length > 0 && (
        <div className="presets" role="group" aria-label="Usual steps">
          {presets.map((p) => (
            <Button
              key={p.name}
              size="compact-sm"
              variant="default"
              aria-pressed={sameRows(p.rows, rows)}
              onClick={() => onChange(p.rows)}
            >
              {p.name}
            </Button>
          ))}
        </div>
      )}
      <p className="dim plain-p" role="status">
        {wrong
          ? ""
          : rows.length === 1
            ? "One share: it stays until somebody widens it."
            : `From the first step to the last in ${writeSpan(lasts(stepsOf(rows)))}. A guard that sees harm halts it before.`}
      </p>
    </div>
  );
}

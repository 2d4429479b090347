//! Web: the form that begins a rollout: what replaces what, by which steps, and what watches it.
import { Button, Group, NumberInput, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { metrics } from "../../api/queries";
import type { Environment, FlagView, Setting } from "../../api/types";
import { readSpan } from "../../lib/span";
import { draftOf, servedText } from "../../lib/serve";
import { stepsOf, stepsText, wrongStep, type StepRow } from "../../lib/steps";
import { Section } from "../../parts/Page";
import { Empty } from "../../parts/States";
import { SpanInput } from "../../parts/SpanInput";
import { useMay } from "../../shell/may";
import { useAround } from "../around";
import { Reach } from "../toggle";
import { StepRows } from "./StepRows";
import { useSteer } from "./steer";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function StartRollout({ view, setting, here }: Props) {
  const key = view.flag.key;
  const variants = view.flag.variants.map((v) => v.key);
  const may = useMay("editor");
  const steer = useSteer({ view, here });
  const about = useAround()(view, here.key);
  const all = useQuery(metrics).data ?? [];
  const [candidate, setCandidate] = useState(variants.find((v) => v !== setting.off) ?? variants[0] ?? "");
  const [control, setControl] = useState(setting.off);
  const [rows, setRows] = useState<StepRow[]>([{ percent: 5, hold: "1d" }]);
  const [metric, setMetric] = useState<string | null>(null);
  const [margin, setMargin] = useState(1);
  const [span, setSpan] = useState("10m");
  const watched = all.find((m) => m.metric.key === metric)?.metric;
  const conversion = watched?.measure.measure === "conversion";
  if (variants.length < 2)
    return (
      <Empty title="Nothing to roll out" why="A rollout replaces one variant by another; this flag has only one." />
    );
  const window = readSpan(span);
  const guard = metric && window ? { metric, alpha: 0.05, margin: conversion ? margin / 100 : margin, window } : null;
  const steps = stepsOf(rows);
  const percent = rows[0]?.percent ?? 0;
  const begin = () =>
    steer({
      title: `Roll “${candidate}” out to ${percent}% in ${here.name}?`,
      confirm: "Start the rollout",
      why: here.production ? "" : "rolled out in the page",
      moves: (
        <div>
          <p style={{ margin: "0 0 8px" }}>
            Of those for whom the default decides, {percent}% get <b>{candidate}</b>, the others <b>{control}</b>.
            {about && ` Now ${servedText(setting, about)}.`}
          </p>
          {steps.length > 1 && (
            <p style={{ margin: "0 0 8px" }}>It widens by itself: {stepsText(steps)}. It can be paused and halted.</p>
          )}
          {!setting.on && (
            <p style={{ margin: "0 0 8px" }}>
              <b>The flag is off:</b> nobody gets it until the flag is turned on.
            </p>
          )}
          <p style={{ margin: "0 0 8px" }}>
            {guard ? (
              <>
                A guard halts it when <b>{watched?.name}</b> is shown to be worse by more than{" "}
                {conversion ? `${margin} points` : margin}.
              </>
            ) : (
              "No guard watches it."
            )}
          </p>
          {setting.on && <Reach view={view} environment={here.key} />}
        </div>
      ),
      run: (why) =>
        edit.startRollout(key, {
          environment: here.key,
          candidate,
          control,
          ...(steps.length > 1 ? { steps } : { share: steps[0]?.share }),
          guard,
          why,
          if_revision: view.revision,
        }),
      // What a rollout that is over serves cannot be said as a default.
      undo:
        setting.default.serve === "rollout"
          ? undefined
          : (because) =>
              edit.target(key, { environment: here.key, default: draftOf(view, setting).default, ...because }),
      done: `“${candidate}” is rolling out at ${percent}% in ${here.name}`,
    });
  return (
    <Section
      title="Start a rollout"
      about={`The default in ${here.name} becomes a rollout: a candidate that widens step by step and can be halted. Rules and single ids stay before it.`}
    >
      <form
        className="form"
        aria-label="Start a rollout"
        onSubmit={(e) => {
          e.preventDefault();
          void begin();
        }}
      >
        <div className="fields">
          <Select
            label="Candidate"
            data={variants}
            value={candidate}
            allowDeselect={false}
            onChange={(v) => setCandidate(v ?? candidate)}
          />
          <Select
            label="Instead of"
            data={variants}
            value={control}
            allowDeselect={false}
            onChange={(v) => setControl(v ?? control)}
            error={control === candidate ? "Name another variant than the candidate" : undefined}
          />
        </div>
        <StepRows rows={rows} onChange={setRows} />
        <Select
          label="Guard metric"
          description="What must not get worse. The guard halts the rollout by itself."
          clearable
          clearButtonProps={{ "aria-label": "No guard" }}
          placeholder={all.length ? "No guard" : "Define a metric first"}
          disabled={all.length === 0}
          data={all.map((m) => ({ value: m.metric.key, label: m.metric.name }))}
          value={metric}
          onChange={setMetric}
        />
        {watched && (
          <div className="fields">
            <NumberInput
              label={conversion ? "Tolerated harm, in points" : "Tolerated harm"}
              description={
                watched.better === "lower" ? "how much higher is still fine" : "how much lower is still fine"
              }
              min={0}
              step={0.5}
              value={margin}
              onChange={(v) => setMargin(Number(v) || 0)}
            />
            <SpanInput
              label="Watch each person for"
              description="after the first exposure, such as 10m or 1d"
              value={span}
              onChange={setSpan}
            />
          </div>
        )}
        <Group>
          <Button
            type="submit"
            disabled={!may.allowed || candidate === control || wrongStep(rows) !== null || (metric !== null && !window)}
            title={may.allowed ? undefined : may.reason}
          >
            Start the rollout
          </Button>
        </Group>
      </form>
    </Section>
  );
}

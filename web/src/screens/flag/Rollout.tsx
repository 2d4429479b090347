//! Web: a candidate on its way from nobody to everybody, and what watches it.
import { Button, Group, NumberInput, Select } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { flag as flagQuery, metrics } from "../../api/queries";
import type { Environment, FlagView, Rollout, Setting } from "../../api/types";
import { share } from "../../lib/numbers";
import { ago } from "../../lib/time";
import { servedText } from "../../lib/serve";
import { useChange, type Intent } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { Empty, Said } from "../../parts/States";
import { ShareBar, Verdict } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { Watched } from "./Guard";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function RolloutTab(props: Props) {
  const { setting } = props;
  const serves = setting.default;
  const [again, setAgain] = useState(false);
  if (serves.serve !== "rollout") return <Start {...props} />;
  const over = serves.rollout.state.state !== "widening";
  return (
    <>
      <Running {...props} rollout={serves.rollout} />
      {over && !again && (
        <Button variant="default" onClick={() => setAgain(true)}>
          Start another rollout
        </Button>
      )}
      {over && again && <Start {...props} />}
    </>
  );
}

/** A change of this flag here, with what a stale one is compared with. */
function useSteer({ view, here }: Pick<Props, "view" | "here">) {
  const { change } = useChange();
  const client = useQueryClient();
  return (intent: Omit<Intent, "quick" | "shown" | "newest">) =>
    change({
      ...intent,
      quick: !here.production && Boolean(intent.why),
      shown: view.flag.settings[here.key],
      newest: () =>
        client.fetchQuery({ ...flagQuery(view.flag.key), staleTime: 0 }).then((v) => v.flag.settings[here.key]),
    });
}

function points(rollout: Rollout, variant: string): number {
  return rollout.split.ranges.filter((r) => r.variant === variant).reduce((n, r) => n + r.to - r.from, 0);
}

const STEPS = [1, 5, 10, 25, 50, 100];

function Running({ view, setting, here, rollout }: Props & { rollout: Rollout }) {
  const key = view.flag.key;
  const may = useMay("editor");
  const steer = useSteer({ view, here });
  const { candidate, control, state } = rollout;
  const now = points(rollout, candidate);
  const paired = rollout.split.rest != null && rollout.split.rest !== control;
  const [next, setNext] = useState<number>(STEPS.find((s) => s * 100 > now) ?? 100);
  const most = paired ? 50 : 100;
  const base = { environment: here.key };
  const automatic = (word: string) => (here.production ? "" : `${word} in the page`);
  const halted = state.state === "halted";
  return (
    <>
      <Section
        title={
          <>
            “{candidate}” instead of “{control}”
          </>
        }
        about={
          state.state === "widening"
            ? `${share(now)} get “${candidate}” since ${ago(rollout.epoch_began)}; the rollout began ${ago(rollout.started)}.`
            : halted
              ? `Halted ${ago(state.at)}: “${control}” is served instead.`
              : `Finished ${ago(state.at)}: “${candidate}” is served instead.`
        }
      >
        {halted && (
          <div style={{ marginBottom: 16 }}>
            <Verdict label="Halt" tone="bad" say="When it halted">
              <p className="dim">
                <Said>{state.because}</Said>
              </p>
            </Verdict>
          </div>
        )}
        {!setting.on && (
          <p>
            <b>The flag is off:</b> nobody is in the rollout until it is turned on.
          </p>
        )}
        {state.state === "done" ? null : (
          <div data-past={halted ? "" : undefined} className="now">
            {halted && <p className="dim label">Before the halt</p>}
            <ShareBar
              ranges={rollout.split.ranges}
              variants={view.flag.variants.map((v) => v.key)}
              rest={rollout.split.rest === control ? null : rollout.split.rest}
            />
          </div>
        )}
        <Group gap="xs" mt="md" align="flex-end">
          {state.state === "widening" && (
            <>
              <NumberInput
                label="Candidate's next share"
                suffix="%"
                min={0.01}
                max={most}
                decimalScale={2}
                w={170}
                value={next}
                onChange={(v) => setNext(Number(v) || 0)}
              />
              <Button
                disabled={!may.allowed || next <= 0 || next > most || next * 100 === now}
                onClick={() =>
                  void steer({
                    title: `${next * 100 > now ? "Widen" : "Narrow"} “${candidate}” to ${next}% in ${here.name}?`,
                    confirm: `Set to ${next}%`,
                    why: automatic("widened"),
                    moves: (
                      <p style={{ margin: 0 }}>
                        {share(now)} now, {next}% then.{" "}
                        {next * 100 > now
                          ? "Whoever has it keeps it."
                          : `Some who have ${candidate} go back to ${control}.`}
                      </p>
                    ),
                    run: (why) =>
                      edit.widen(key, { ...base, share: Math.round(next * 100), why, if_revision: view.revision }),
                    undo: (why) => edit.widen(key, { ...base, share: now, why }),
                    done: `“${candidate}” is at ${next}% in ${here.name}`,
                  })
                }
              >
                {next * 100 >= now ? "Widen" : "Narrow"}
              </Button>
              <Button
                variant="default"
                disabled={!may.allowed}
                onClick={() =>
                  void steer({
                    title: `Give “${candidate}” to everybody in ${here.name}?`,
                    confirm: "Finish",
                    why: automatic("finished"),
                    moves: <p style={{ margin: 0 }}>The guard stops watching.</p>,
                    run: (why) => edit.finish(key, { ...base, why, if_revision: view.revision }),
                    done: `“${candidate}” is served to everybody in ${here.name}`,
                  })
                }
              >
                Finish
              </Button>
              <Button
                variant="default"
                disabled={!may.allowed}
                onClick={() =>
                  void steer({
                    title: `Halt the rollout of “${candidate}” in ${here.name}?`,
                    confirm: "Halt",
                    danger: true,
                    why: automatic("halted"),
                    moves: (
                      <p style={{ margin: 0 }}>
                        {share(now)} go back to <b>{control}</b> at once.
                      </p>
                    ),
                    run: (why) => edit.halt(key, { ...base, why, if_revision: view.revision }),
                    undo: (why) => edit.resume(key, { ...base, why }),
                    done: `The rollout of “${candidate}” is halted in ${here.name}`,
                  })
                }
              >
                Halt
              </Button>
            </>
          )}
          {halted && (
            <Button
              variant="default"
              disabled={!may.allowed}
              onClick={() =>
                void steer({
                  title: `Resume the rollout of “${candidate}” in ${here.name}?`,
                  confirm: "Resume",
                  why: automatic("resumed"),
                  moves: (
                    <p style={{ margin: 0 }}>
                      {share(now)} get <b>{candidate}</b> again; the guard starts anew.
                    </p>
                  ),
                  run: (why) => edit.resume(key, { ...base, why, if_revision: view.revision }),
                  undo: (why) => edit.halt(key, { ...base, why }),
                  done: `The rollout of “${candidate}” goes on in ${here.name}`,
                })
              }
            >
              Resume
            </Button>
          )}
        </Group>
      </Section>
      {rollout.guard ? (
        <Watched view={view} here={here} state={state.state} />
      ) : (
        <Section title="Guard">
          <p>
            No guard {state.state === "widening" ? "watches" : "watched"} this rollout. The next one can name a metric
            that must not get worse.
          </p>
        </Section>
      )}
    </>
  );
}

function Start({ view, setting, here }: Props) {
  const key = view.flag.key;
  const variants = view.flag.variants.map((v) => v.key);
  const may = useMay("editor");
  const steer = useSteer({ view, here });
  const all = useQuery(metrics).data ?? [];
  const [candidate, setCandidate] = useState(variants.find((v) => v !== setting.off) ?? variants[0] ?? "");
  const [control, setControl] = useState(setting.off);
  const [percent, setPercent] = useState(5);
  const [metric, setMetric] = useState<string | null>(null);
  const [margin, setMargin] = useState(1);
  const [minutes, setMinutes] = useState(10);
  const watched = all.find((m) => m.metric.key === metric)?.metric;
  const conversion = watched?.measure.measure === "conversion";
  if (variants.length < 2)
    return (
      <Empty title="Nothing to roll out" why="A rollout replaces one variant by another; this flag has only one." />
    );
  const guard = metric
    ? { metric, alpha: 0.05, margin: conversion ? margin / 100 : margin, window: minutes * 60_000 }
    : null;
  const begin = () =>
    steer({
      title: `Roll “${candidate}” out to ${percent}% in ${here.name}?`,
      confirm: "Start the rollout",
      why: here.production ? "" : "rolled out in the page",
      moves: (
        <div>
          <p style={{ margin: "0 0 8px" }}>
            {percent}% get <b>{candidate}</b>, everybody else <b>{control}</b>. Now {servedText(setting)}.
          </p>
          <p style={{ margin: 0 }}>
            {guard ? (
              <>
                A guard halts it when <b>{watched?.name}</b> is shown to be worse by more than{" "}
                {conversion ? `${margin} points` : margin}.
              </>
            ) : (
              "No guard watches it."
            )}
          </p>
        </div>
      ),
      run: (why) =>
        edit.startRollout(key, {
          environment: here.key,
          candidate,
          control,
          share: Math.round(percent * 100),
          guard,
          why,
          if_revision: view.revision,
        }),
      done: `“${candidate}” is rolling out at ${percent}% in ${here.name}`,
    });
  return (
    <Section
      title="Start a rollout"
      about={`The default in ${here.name} becomes a rollout: a candidate that widens step by step and can be halted. Rules and single ids stay before it.`}
    >
      <form
        className="form"
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
          <NumberInput
            label="Share to begin with"
            suffix="%"
            min={0.01}
            max={100}
            decimalScale={2}
            value={percent}
            onChange={(v) => setPercent(Number(v) || 0)}
          />
        </div>
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
            <NumberInput
              label="Watch each person for, minutes"
              description="after the first exposure"
              min={1}
              value={minutes}
              onChange={(v) => setMinutes(Number(v) || 1)}
            />
          </div>
        )}
        <Group>
          <Button
            type="submit"
            disabled={!may.allowed || candidate === control || percent <= 0}
            title={may.allowed ? undefined : may.reason}
          >
            Start the rollout
          </Button>
        </Group>
      </form>
    </Section>
  );
}

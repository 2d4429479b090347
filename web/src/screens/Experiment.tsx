//! Web: one experiment. The verdict first, then what it rests on: counts and the sample ratio, the
//! intervals, the plan.
import { Button, Group } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { edit } from "../api/edits";
import { experiment as experimentQuery, results } from "../api/queries";
import type { ExperimentView, Results } from "../api/types";
import { IntervalPlot, type Effect } from "../charts/IntervalPlot";
import { ChartFrame } from "../charts/ChartFrame";
import { count, duration, effect, fixed, pValue, rate, share, tick, type Scale } from "../lib/numbers";
import { exact } from "../lib/time";
import { useChange } from "../parts/Change";
import { ChangeLog } from "../parts/ChangeLog";
import { DataTable, type Column } from "../parts/DataTable";
import { Page, Section } from "../parts/Page";
import { Loaded, Said } from "../parts/States";
import { Badge, Note, Verdict, type Tone } from "../parts/Words";
import { useMay } from "../shell/may";
import { Stage, stageSentence } from "./stage";

const TABS = [{ key: "results", label: "Results" }, { key: "plan", label: "Plan" }, { key: "changes", label: "Changes" }];

export function ExperimentScreen(): JSX.Element {
  const { experiment: key } = useParams({ from: "/inside/experiments/$experiment" });
  const { tab } = useSearch({ from: "/inside/experiments/$experiment" });
  const open = TABS.some((t) => t.key === tab) ? (tab ?? "results") : "results";
  const query = useQuery(experimentQuery(key));
  const draft = query.data?.experiment.state.state === "draft";
  const found = useQuery({ ...results(key), enabled: query.data !== undefined && !draft });
  return (
    <Page
      name={query.data?.experiment.name ?? key}
      title={<>{query.data?.experiment.name ?? key} {query.data && <Stage view={query.data} />}</>}
      above={{ label: "Experiments", to: "/experiments" }}
      state={query.data ? stageSentence(query.data) : undefined}
      actions={query.data ? <Actions view={query.data} results={found.data} /> : undefined}
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      <Loaded query={query}>
        {(view) =>
          open === "changes" ? <ChangeLog about={{ experiment: key }} />
            : open === "plan" ? <Plan view={view} />
              : draft ? <Draft view={view} />
                : <Loaded query={found}>{(r) => <Report results={r} />}</Loaded>
        }
      </Loaded>
    </Page>
  );
}

function Draft({ view }: { view: ExperimentView }) {
  return (
    <>
      <Note>
        <p className="strong">Nothing is counted yet.</p>
        <p className="hint">When it starts, the plan is fixed and exposures of <Link to="/flags/$flag" params={{ flag: view.experiment.flag }}>{view.experiment.flag}</Link> count. The flag must be on and split as planned.</p>
      </Note>
      <div style={{ height: 24 }} />
      <Plan view={view} />
    </>
  );
}

const TONES: Record<Results["judgement"]["verdict"]["verdict"], Tone> = {
  running: "accent", ended_early: "plain", broken: "bad", ship: "good", keep: "bad", inconclusive: "plain", too_little: "warn",
};

function headline(r: Results): string {
  const { verdict } = r.judgement;
  switch (verdict.verdict) {
    case "ship": return `Ship ${verdict.variant}`;
    case "keep": return `Keep ${verdict.variant}`;
    case "broken": return "The split is broken: do not use these numbers";
    case "inconclusive": return "No difference is shown";
    case "running": return "Running: no decision before the horizon";
    case "ended_early": return "Ended before its horizon: nothing is decided";
    case "too_little": return "Too little data to compare";
  }
}

function Report({ results: r }: { results: Results }) {
  const { judgement: j, metric, computed } = r;
  const plan = r.experiment.experiment.plan;
  const conversion = metric.measure.measure === "conversion";
  const scale: Scale = conversion ? "points" : "absolute";
  const better = metric.better ?? "higher";
  const effects: Effect[] = j.comparisons.flatMap(({ variant, compared: c }) => {
    if (c.compared !== "given") return [];
    const good = better === "higher" ? c.estimate > 0 : c.estimate < 0;
    return [{
      name: variant, estimate: c.estimate, low: c.interval.low, high: c.interval.high,
      tone: !c.significant ? "plain" : good ? "good" : "bad",
      word: `${c.significant ? (good ? "▲ better" : "▼ worse") : "● no difference shown"}, p = ${pValue(c.p_adjusted)}`,
    }];
  });
  const refused = j.comparisons.flatMap(({ variant, compared: c }) => (c.compared === "refused" ? [{ variant, ...c }] : []));
  const total = j.counts.reduce((sum, c) => sum + c.exposed, 0);
  const planned = plan.arms.reduce((sum, a) => sum + a.share, 0);
  const columns: Column<(typeof j.counts)[number]>[] = [
    { key: "variant", head: "Variant", wide: true, cell: (c) => <><span className="strong">{c.variant}</span>{c.variant === j.control && c.variant !== "control" && <> <Badge>control</Badge></>}</> },
    { key: "exposed", head: "Exposed", right: true, sort: (c) => c.exposed, cell: (c) => count(c.exposed) },
    {
      key: "ratio", head: "Share of exposed", right: true,
      cell: (c) => {
        const want = (plan.arms.find((a) => a.variant === c.variant)?.share ?? 0) / planned;
        return <span className="nowrap">{total > 0 ? rate(c.exposed / total, total) : "none yet"} <span className="dim">of {share(Math.round(want * 10_000))} planned</span></span>;
      },
    },
    ...(conversion ? [{ key: "converted", head: "Converted", right: true, sort: (c: { converted: number }) => c.converted, cell: (c: { converted: number }) => count(c.converted) }] : []),
    {
      key: "mean", head: conversion ? "Rate" : "Mean per user", right: true, sort: (c) => c.mean ?? null,
      cell: (c) => (c.mean == null ? <span className="dim">no users yet</span> : <span title={String(c.mean)}>{conversion ? rate(c.mean, c.units) : fixed(c.mean, 3)}</span>),
    },
  ];
  return (
    <>
      <Verdict tone={TONES[j.verdict.verdict]} say={headline(r)}>
        <p className="dim" style={{ marginTop: 4 }}><Said>{j.sentence}</Said></p>
        {j.verdict.verdict === "too_little" && <p className="dim"><Said>{j.verdict.hint}</Said></p>}
      </Verdict>
      <div style={{ height: 24 }} />
      <section className="section">
        <ChartFrame title={`Effect on ${metric.name}`} file={`${r.experiment.experiment.key}-effects`}
          head={["variant", "estimate", "low", "high", "p", "p adjusted", "relative lift", "lift low", "lift high", "method"]}
          rows={j.comparisons.map(({ variant, compared: c }) => c.compared === "given"
            ? [variant, c.estimate, c.interval.low, c.interval.high, c.p, c.p_adjusted, ...(c.relative.relative === "given" ? [c.relative.lift, c.relative.interval.low, c.relative.interval.high] : [null, null, null]), c.method]
            : [variant, null, null, null, null, null, null, null, null, c.reason])}
          shown={(v, i) => (i === 4 || i === 5 ? pValue(v) : i >= 6 ? tick(v, "relative", 1) : tick(v, scale, conversion ? 2 : 3))}>
          <p className="dim" style={{ margin: "0 0 12px" }}>
            Against {j.control}, {conversion ? "in percentage points of users who convert" : "as the difference of the means per user"}; intervals at {fixed((1 - j.alpha) * 100, j.alpha < 0.05 ? 1 : 0)}%{better === "lower" ? "; lower is better" : ""}.
          </p>
          {effects.length > 0 && <IntervalPlot label={`Effect on ${metric.name} against ${j.control}`} effects={effects} scale={scale} planned={plan.effect} better={better} />}
          {refused.map((c) => (
            <Note key={c.variant}>
              <p><span className="strong">{c.variant}</span>: <Said>{c.reason}</Said></p>
              <p className="hint dim"><Said>{c.hint}</Said></p>
            </Note>
          ))}
          <Relatives results={r} />
        </ChartFrame>
      </section>
      <Section title="Who was counted">
        <DataTable label="Counts per variant" columns={columns} rows={j.counts} id={(c) => c.variant} />
        <Ratio results={r} />
        {j.crossed > 0 && <p className="dim">{count(j.crossed)} saw several variants and are in no arm.</p>}
      </Section>
      <Section title="How this was computed">
        <dl className="facts">
          <div><dt>Metric</dt><dd><Link to="/metrics/$metric" params={{ metric: metric.key }}>{metric.name}</Link>: {measureText(metric)}</dd></div>
          <div><dt>Exposures from</dt><dd>{exact(computed.from)}</dd></div>
          <div><dt>Events before</dt><dd>{exact(computed.to)}</dd></div>
          <div><dt>Events up to</dt><dd>seq {count(computed.seq)}</dd></div>
          <div><dt>Revision</dt><dd>r{computed.revision}</dd></div>
          <div><dt>Plan</dt><dd className="mono" title={computed.plan_hash}>{computed.plan_hash.slice(0, 12)}</dd></div>
          <div><dt>Over the API</dt><dd className="mono">GET /api/experiments/{r.experiment.experiment.key}/results</dd></div>
        </dl>
      </Section>
    </>
  );
}

function measureText(metric: Results["metric"]): string {
  const m = metric.measure;
  if (m.measure === "conversion") return `users who did ${metric.event} at least once`;
  return m.measure === "count" ? `how often a user did ${metric.event}` : `sum of ${m.property} of ${metric.event} per user`;
}

function Relatives({ results: r }: { results: Results }) {
  return (
    <ul className="plain">
      {r.judgement.comparisons.map(({ variant, compared: c }) =>
        c.compared === "given" ? (
          <li key={variant}>
            <span className="dim">{variant}, relative to {r.judgement.control}:</span>{" "}
            {c.relative.relative === "given"
              ? <span className="strong">{effect(c.relative.lift, c.relative.interval.low, c.relative.interval.high, "relative")}</span>
              : <Said>{c.relative.reason}</Said>}
          </li>
        ) : null,
      )}
    </ul>
  );
}

function Ratio({ results: { judgement: { sample_ratio: s } } }: { results: Results }) {
  if (s.broken) {
    return (
      <Note tone="bad">
        <p className="strong">The split is broken{s.sequential != null ? `: sequential p = ${pValue(s.sequential)}` : ""}</p>
        <p className="hint">Something other than chance decided who was counted. Look for redirects, bots and crashes that hit one variant, then start again.</p>
      </Note>
    );
  }
  if (s.warn && s.p != null) {
    return (
      <Note tone="warn">
        <p className="strong">The sample ratio is off: p = {pValue(s.p)}</p>
        <p className="hint">Chance does this once in a hundred experiments. Find out why before you act{s.sequential != null ? `; the sequential test, which stops an experiment below 0.001, is at ${pValue(s.sequential)}` : ""}.</p>
      </Note>
    );
  }
  return (
    <p className="dim">
      {s.p != null ? `Sample ratio as planned (p = ${pValue(s.p)}).` : <Said>{s.refused ?? "The sample ratio cannot be checked yet."}</Said>}
    </p>
  );
}

function Plan({ view: { experiment: e } }: { view: ExperimentView }) {
  const plan = e.plan;
  return (
    <>
      {e.hypothesis && <Section title="Hypothesis"><p style={{ color: "inherit" }}>{e.hypothesis}</p></Section>}
      <Section title="Plan" about="Decided before the data came; it cannot be edited once the experiment runs.">
        <dl className="facts">
          <div><dt>Flag</dt><dd><Link to="/flags/$flag" params={{ flag: e.flag }}>{e.flag}</Link> in {e.environment}</dd></div>
          <div><dt>Metric that decides</dt><dd><Link to="/metrics/$metric" params={{ metric: plan.metric }}>{plan.metric}</Link></dd></div>
          <div><dt>Arms</dt><dd>{plan.arms.map((a) => `${a.variant} ${share(a.share)}`).join(", ")}</dd></div>
          <div><dt>Control</dt><dd>{plan.control}</dd></div>
          <div><dt>Runs for</dt><dd>{duration(plan.horizon.span)}</dd></div>
          <div><dt>Error rate</dt><dd>{fixed((plan.alpha ?? 0.05) * 100, 0)}%, two-sided</dd></div>
          <div><dt>Effect worth finding</dt><dd>{plan.effect != null ? String(plan.effect) : "not planned"}</dd></div>
        </dl>
      </Section>
    </>
  );
}

function Actions({ view, results: r }: { view: ExperimentView; results?: Results }) {
  const { change } = useChange();
  const may = useMay("editor");
  const { experiment: e } = view;
  const off = { disabled: !may.allowed, title: may.allowed ? undefined : may.reason };
  if (e.state.state === "draft") {
    return (
      <Button {...off} onClick={() => void change({
        title: `Start ${e.name}?`, confirm: "Start", run: (why) => edit.startExperiment(e.key, { why, if_revision: view.revision }), done: `${e.name} runs`,
        moves: <p style={{ margin: 0 }}>The plan is fixed from here on. Nobody gets another variant: the flag splits already.</p>,
      })}>Start</Button>
    );
  }
  if (e.state.state !== "running") return null;
  const verdict = r?.judgement.verdict;
  const named = verdict && (verdict.verdict === "ship" || verdict.verdict === "keep") ? verdict.variant : null;
  return (
    <Group gap="xs">
      <Button variant="default" {...off} onClick={() => void change({
        title: `Stop ${e.name}?`, confirm: "Stop", danger: true, run: (why) => edit.stopExperiment(e.key, { why, if_revision: view.revision }), done: `${e.name} is stopped`,
        moves: <p style={{ margin: 0 }}>Later events do not count. The flag stays as it is.</p>,
      })}>Stop</Button>
      {named && (
        <Button {...off} onClick={() => void change({
          title: `Ship ${named}?`, confirm: `Ship ${named}`, why: r?.judgement.sentence ?? "", fixed: true,
          run: () => edit.ship(e.key, { variant: named, if_revision: view.revision }), done: `${named} is shipped: ${e.flag} serves it to everybody in ${e.environment}`,
          moves: <p style={{ margin: 0 }}>The experiment ends, and <span className="strong">{e.flag}</span> serves <span className="strong">{named}</span> to everybody in {e.environment}.</p>,
        })}>Ship {named}</Button>
      )}
    </Group>
  );
}

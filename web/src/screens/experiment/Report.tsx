//! Web: what an experiment says: the verdict, the intervals, who was counted, and how it was computed.
import { Link } from "@tanstack/react-router";

import type { Results } from "../../api/types";
import { ChartFrame } from "../../charts/ChartFrame";
import { IntervalPlot, type Effect } from "../../charts/IntervalPlot";
import { count, effect, fixed, pValue, rate, share, tick, type Scale } from "../../lib/numbers";
import { exact } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Said } from "../../parts/States";
import { Badge, Note, Verdict, type Tone } from "../../parts/Words";

const TONES: Record<Results["judgement"]["verdict"]["verdict"], Tone> = {
  running: "accent",
  ended_early: "plain",
  broken: "bad",
  ship: "good",
  keep: "bad",
  inconclusive: "plain",
  too_little: "warn",
};

function headline(r: Results): string {
  const { verdict } = r.judgement;
  switch (verdict.verdict) {
    case "ship":
      return `Ship ${verdict.variant}`;
    case "keep":
      return `Keep ${verdict.variant}`;
    case "broken":
      return "The split is broken: do not use these numbers";
    case "inconclusive":
      return "No difference is shown";
    case "running":
      return "Running: no decision before the horizon";
    case "ended_early":
      return "Ended before its horizon: nothing is decided";
    case "too_little":
      return "Too little data to compare";
  }
}

export function Report({ results: r }: { results: Results }) {
  const { judgement: j, metric, computed } = r;
  const plan = r.experiment.experiment.plan;
  const conversion = metric.measure.measure === "conversion";
  const scale: Scale = conversion ? "points" : "absolute";
  const better = metric.better ?? "higher";
  const effects: Effect[] = j.comparisons.flatMap(({ variant, compared: c }) => {
    if (c.compared !== "given") return [];
    const good = better === "higher" ? c.estimate > 0 : c.estimate < 0;
    return [
      {
        name: variant,
        estimate: c.estimate,
        low: c.interval.low,
        high: c.interval.high,
        tone: !c.significant ? "plain" : good ? "good" : "bad",
        word: `${c.significant ? (good ? "▲ better" : "▼ worse") : "● no difference shown"}, p = ${pValue(c.p_adjusted)}`,
      },
    ];
  });
  const refused = j.comparisons.flatMap(({ variant, compared: c }) =>
    c.compared === "refused" ? [{ variant, ...c }] : [],
  );
  const total = j.counts.reduce((sum, c) => sum + c.exposed, 0);
  const planned = plan.arms.reduce((sum, a) => sum + a.share, 0);
  const columns: Column<(typeof j.counts)[number]>[] = [
    {
      key: "variant",
      head: "Variant",
      wide: true,
      cell: (c) => (
        <>
          <span className="strong">{c.variant}</span>
          {c.variant === j.control && c.variant !== "control" && (
            <>
              {" "}
              <Badge>control</Badge>
            </>
          )}
        </>
      ),
    },
    { key: "exposed", head: "Exposed", right: true, sort: (c) => c.exposed, cell: (c) => count(c.exposed) },
    {
      key: "ratio",
      head: "Share of exposed",
      right: true,
      cell: (c) => {
        const want = (plan.arms.find((a) => a.variant === c.variant)?.share ?? 0) / planned;
        return (
          <span className="nowrap">
            {total > 0 ? rate(c.exposed / total, total) : "none yet"}{" "}
            <span className="dim">of {share(Math.round(want * 10_000))} planned</span>
          </span>
        );
      },
    },
    ...(conversion
      ? [
          {
            key: "converted",
            head: "Converted",
            right: true,
            sort: (c: { converted: number }) => c.converted,
            cell: (c: { converted: number }) => count(c.converted),
          },
        ]
      : []),
    {
      key: "mean",
      head: conversion ? "Rate" : "Mean per user",
      right: true,
      sort: (c) => c.mean ?? null,
      cell: (c) =>
        c.mean == null ? (
          <span className="dim">no users yet</span>
        ) : (
          <span title={String(c.mean)}>{conversion ? rate(c.mean, c.units) : fixed(c.mean, 3)}</span>
        ),
    },
  ];
  return (
    <>
      <Verdict tone={TONES[j.verdict.verdict]} say={headline(r)}>
        <p className="dim" style={{ marginTop: 4 }}>
          <Said>{j.sentence}</Said>
        </p>
        {j.verdict.verdict === "too_little" && (
          <p className="dim">
            <Said>{j.verdict.hint}</Said>
          </p>
        )}
      </Verdict>
      <div style={{ height: 24 }} />
      <section className="section">
        <ChartFrame
          title={`Effect on ${metric.name}`}
          file={`${r.experiment.experiment.key}-effects`}
          head={[
            "variant",
            "estimate",
            "low",
            "high",
            "p",
            "p adjusted",
            "relative lift",
            "lift low",
            "lift high",
            "method",
          ]}
          rows={j.comparisons.map(({ variant, compared: c }) =>
            c.compared === "given"
              ? [
                  variant,
                  c.estimate,
                  c.interval.low,
                  c.interval.high,
                  c.p,
                  c.p_adjusted,
                  ...(c.relative.relative === "given"
                    ? [c.relative.lift, c.relative.interval.low, c.relative.interval.high]
                    : [null, null, null]),
                  c.method,
                ]
              : [variant, null, null, null, null, null, null, null, null, c.reason],
          )}
          shown={(v, i) =>
            i === 4 || i === 5 ? pValue(v) : i >= 6 ? tick(v, "relative", 1) : tick(v, scale, conversion ? 2 : 3)
          }
        >
          <p className="dim" style={{ margin: "0 0 12px" }}>
            Against {j.control},{" "}
            {conversion ? "in percentage points of users who convert" : "as the difference of the means per user"};
            intervals at {fixed((1 - j.alpha) * 100, j.alpha < 0.05 ? 1 : 0)}%
            {better === "lower" ? "; lower is better" : ""}.
          </p>
          {effects.length > 0 && (
            <IntervalPlot
              label={`Effect on ${metric.name} against ${j.control}`}
              effects={effects}
              scale={scale}
              planned={plan.effect}
              better={better}
            />
          )}
          {refused.map((c) => (
            <Note key={c.variant}>
              <p>
                <span className="strong">{c.variant}</span>: <Said>{c.reason}</Said>
              </p>
              <p className="hint dim">
                <Said>{c.hint}</Said>
              </p>
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
          <div>
            <dt>Metric</dt>
            <dd>
              <Link to="/metrics/$metric" params={{ metric: metric.key }}>
                {metric.name}
              </Link>
              : {measureText(metric)}
            </dd>
          </div>
          <div>
            <dt>Exposures from</dt>
            <dd>{exact(computed.from)}</dd>
          </div>
          <div>
            <dt>Events before</dt>
            <dd>{exact(computed.to)}</dd>
          </div>
          <div>
            <dt>Events up to</dt>
            <dd>seq {count(computed.seq)}</dd>
          </div>
          <div>
            <dt>Revision</dt>
            <dd>r{computed.revision}</dd>
          </div>
          <div>
            <dt>Plan</dt>
            <dd className="mono" title={computed.plan_hash}>
              {computed.plan_hash.slice(0, 12)}
            </dd>
          </div>
          <div>
            <dt>Over the API</dt>
            <dd className="mono">GET /api/experiments/{r.experiment.experiment.key}/results</dd>
          </div>
        </dl>
      </Section>
    </>
  );
}

function measureText(metric: Results["metric"]): string {
  const m = metric.measure;
  if (m.measure === "conversion") return `users who did ${metric.event} at least once`;
  return m.measure === "count"
    ? `how often a user did ${metric.event}`
    : `sum of ${m.property} of ${metric.event} per user`;
}

function Relatives({ results: r }: { results: Results }) {
  return (
    <ul className="plain">
      {r.judgement.comparisons.map(({ variant, compared: c }) =>
        c.compared === "given" ? (
          <li key={variant}>
            <span className="dim">
              {variant}, relative to {r.judgement.control}:
            </span>{" "}
            {c.relative.relative === "given" ? (
              <span className="strong">
                {effect(c.relative.lift, c.relative.interval.low, c.relative.interval.high, "relative")}
              </span>
            ) : (
              <Said>{c.relative.reason}</Said>
            )}
          </li>
        ) : null,
      )}
    </ul>
  );
}

function Ratio({
  results: {
    judgement: { sample_ratio: s },
  },
}: {
  results: Results;
}) {
  if (s.broken) {
    return (
      <Note tone="bad">
        <p className="strong">
          The split is broken{s.sequential != null ? `: sequential p = ${pValue(s.sequential)}` : ""}
        </p>
        <p className="hint">
          Something other than chance decided who was counted. Look for redirects, bots and crashes that hit one
          variant, then start again.
        </p>
      </Note>
    );
  }
  if (s.warn && s.p != null) {
    return (
      <Note tone="warn">
        <p className="strong">The sample ratio is off: p = {pValue(s.p)}</p>
        <p className="hint">
          Chance does this once in a hundred experiments. Find out why before you act
          {s.sequential != null
            ? `; the sequential test, which stops an experiment below 0.001, is at ${pValue(s.sequential)}`
            : ""}
          .
        </p>
      </Note>
    );
  }
  return (
    <p className="dim">
      {s.p != null ? (
        `Sample ratio as planned (p = ${pValue(s.p)}).`
      ) : (
        <Said>{s.refused ?? "The sample ratio cannot be checked yet."}</Said>
      )}
    </p>
  );
}

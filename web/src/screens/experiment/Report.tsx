//! Web: what an experiment says: the verdict, the intervals, who was counted, and how it was computed.
import { Link } from "@tanstack/react-router";

import type { Results } from "../../api/types";
import { ChartFrame } from "../../charts/ChartFrame";
import { IntervalPlot, type Effect } from "../../charts/IntervalPlot";
import { count, effect, fixed, level, pValue, plural, rate, share, tick, type Scale } from "../../lib/numbers";
import { capital } from "../../lib/spoken";
import { exact, moment, now } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { Section } from "../../parts/Page";
import { Said, Warnings } from "../../parts/States";
import { Badge, Note, Verdict, type Tone } from "../../parts/Words";

const TONES: Record<Results["judgement"]["verdict"]["verdict"], Tone> = {
  running: "accent",
  ended_early: "plain",
  broken: "bad",
  ship: "good",
  keep: "plain",
  inconclusive: "plain",
  too_little: "warn",
};

/** Whether the plan's one look has been taken, so that the numbers may be called anything. */
export function decided(r: Results): boolean {
  return ["ship", "keep", "inconclusive"].includes(r.judgement.verdict.verdict);
}

function headline(r: Results): string {
  const { verdict } = r.judgement;
  switch (verdict.verdict) {
    case "ship":
      return `Ship ${verdict.variant}`;
    case "keep":
      return `Keep ${verdict.variant}`;
    case "broken":
      return "The split is broken: these numbers cannot be used";
    case "inconclusive":
      return "No difference is shown";
    case "running":
      return "Interim, not a decision";
    case "ended_early":
      return "Ended early: nothing is decided";
    case "too_little":
      return "Too little data to compare";
  }
}

/** The verdict in a sentence. Before the planned end there is none, only how long it still takes. */
function Sentence({ results: { judgement: j } }: { results: Results }) {
  const { verdict } = j;
  if (verdict.verdict === "running")
    return (
      <>
        {verdict.ends_at > now() ? "Runs until" : "Its planned end was"} {moment(verdict.ends_at)}. The plan decides
        once, then; until it does, these numbers say how it is going and not what to do.
      </>
    );
  if (verdict.verdict === "ended_early")
    return (
      <>
        It ended {moment(verdict.at)}; {moment(verdict.planned)} was planned. The intervals below show what was seen,
        not what to do.
      </>
    );
  return <Said>{capital(j.sentence)}</Said>;
}

export function Report({ results: r }: { results: Results }) {
  const { judgement: j, metric, computed } = r;
  const plan = r.experiment.experiment.plan;
  const conversion = metric.measure.measure === "conversion";
  const scale: Scale = conversion ? "points" : "absolute";
  const better = metric.better ?? "higher";
  const final = decided(r);
  const effects: Effect[] = j.comparisons.flatMap(({ variant, compared: c }) => {
    if (c.compared !== "given") return [];
    const good = better === "higher" ? c.estimate > 0 : c.estimate < 0;
    return [
      {
        name: variant,
        estimate: c.estimate,
        low: c.interval.low,
        high: c.interval.high,
        tone: !final ? "off" : !c.significant ? "plain" : good ? "good" : "bad",
        word: final
          ? `${c.significant ? (good ? "▲ better" : "▼ worse") : "● no difference shown"}, ${pValue(c.p_adjusted)}`
          : j.verdict.verdict === "broken"
            ? "not to be used"
            : "interim, not a decision",
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
            <span className="dim">
              of {share(Math.round(want * 10_000))}
              <span className="roomy"> planned</span>
            </span>
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
            roomy: true,
            sort: (c: { converted: number }) => c.converted,
            cell: (c: { converted: number }) => count(c.converted),
          },
        ]
      : []),
    {
      key: "mean",
      head: conversion ? (
        "Rate"
      ) : (
        <>
          Mean<span className="roomy"> per user</span>
        </>
      ),
      right: true,
      sort: (c) => c.mean ?? null,
      cell: (c) =>
        c.mean == null ? (
          <span className="dim">none yet</span>
        ) : (
          <span title={String(c.mean)}>{level(c.mean, conversion)}</span>
        ),
    },
  ];
  return (
    <>
      <Verdict tone={TONES[j.verdict.verdict]} say={headline(r)}>
        <p className="dim" style={{ marginTop: 4 }}>
          <Sentence results={r} />
        </p>
        {j.verdict.verdict === "too_little" && (
          <p className="dim">
            <Said>{j.verdict.hint}</Said>
          </p>
        )}
      </Verdict>
      <Warnings list={r.warnings} />
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
            "relative lift",
            "lift low",
            "lift high",
            "method",
            ...(final ? ["p", "p adjusted"] : []),
          ]}
          rows={j.comparisons.map(({ variant, compared: c }) =>
            c.compared === "given"
              ? [
                  variant,
                  c.estimate,
                  c.interval.low,
                  c.interval.high,
                  ...(c.relative.relative === "given"
                    ? [c.relative.lift, c.relative.interval.low, c.relative.interval.high]
                    : [null, null, null]),
                  c.method,
                  ...(final ? [c.p, c.p_adjusted] : []),
                ]
              : [variant, null, null, null, null, null, null, c.reason],
          )}
          shown={(v, i) =>
            i >= 8
              ? pValue(v).replace(/^p (= )?/, "")
              : i >= 4
                ? tick(v, "relative", 1)
                : tick(v, scale, conversion ? 2 : 3)
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
              quiet={!final}
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
        {j.crossed > 0 && (
          <p className="dim">
            {plural(j.crossed, "user was", "users were")} exposed to several variants and{" "}
            {j.crossed === 1 ? "is" : "are"} counted in none.
          </p>
        )}
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
            <dt>Counts exposures from</dt>
            <dd>{exact(computed.from)}</dd>
          </div>
          <div>
            <dt>And events before</dt>
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
  if (m.measure === "conversion") return `share of users with a “${metric.event}” event`;
  return m.measure === "count"
    ? `“${metric.event}” events per user`
    : `sum of “${m.property}” over a user's “${metric.event}” events`;
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
              <span className={decided(r) ? "strong" : "dim"}>
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
          The split is broken{s.sequential != null ? `: sequential ${pValue(s.sequential)}` : ""}
        </p>
        <p className="hint">
          Something other than chance decided who was counted. Look for redirects, bots and crashes that hit one
          variant, then start again.
        </p>
      </Note>
    );
  }
  if (s.warn) return <RatioWarning ratio={s} />;
  return (
    <p className="dim">
      {s.p != null ? (
        `Sample ratio as planned (${pValue(s.p)}).`
      ) : (
        <Said>{s.refused ?? "The sample ratio cannot be checked yet."}</Said>
      )}
    </p>
  );
}

/** The sample ratio is unlikely, though not yet so far off that the split is called broken. */
export function RatioWarning({ ratio: s }: { ratio: Results["judgement"]["sample_ratio"] }) {
  return (
    <Note tone="warn">
      <p className="strong">The sample ratio is off{s.p != null ? `: ${pValue(s.p)}` : ""}</p>
      <p className="hint">
        Chance alone does this in fewer than one of a hundred experiments. Find out why before you act
        {s.sequential != null ? `; the test that stops an experiment below 0.001 is at ${pValue(s.sequential)}` : ""}.
      </p>
    </Note>
  );
}

//! Web: one experiment. The verdict first, then what it rests on: counts and the sample ratio, the
//! intervals, the plan.
import { Button, Group } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { edit } from "../api/edits";
import { experiment as experimentQuery, metrics, results } from "../api/queries";
import type { ExperimentView, Results } from "../api/types";
import { duration, fixed, share } from "../lib/numbers";
import { useChange } from "../parts/Change";
import { ChangeLog } from "../parts/ChangeLog";
import { Page, Section } from "../parts/Page";
import { absent, Loaded } from "../parts/States";
import { Note } from "../parts/Words";
import { useMay } from "../shell/may";
import { RatioWarning, Report } from "./experiment/Report";
import { NoSuch } from "./Missing";
import { Stage, stageSentence } from "./stage";

const TABS = [
  { key: "results", label: "Results" },
  { key: "plan", label: "Plan" },
  { key: "changes", label: "Changes" },
];

export function ExperimentScreen(): JSX.Element {
  const { experiment: key } = useParams({ from: "/inside/experiments/$experiment" });
  const { tab } = useSearch({ from: "/inside/experiments/$experiment" });
  const open = TABS.some((t) => t.key === tab) ? (tab ?? "results") : "results";
  const query = useQuery(experimentQuery(key));
  const draft = query.data?.experiment.state.state === "draft";
  const found = useQuery({ ...results(key), enabled: query.data !== undefined && !draft });
  if (absent(query)) return <NoSuch what="experiment" name={key} error={query.error} />;
  return (
    <Page
      name={query.data?.experiment.name ?? key}
      title={
        <>
          {query.data?.experiment.name ?? key} {query.data && <Stage view={query.data} />}
        </>
      }
      above={{ label: "Experiments", to: "/experiments" }}
      code={key}
      state={query.data ? stageSentence(query.data) : undefined}
      actions={query.data ? <Actions view={query.data} results={found.data} /> : undefined}
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      <Loaded query={query}>
        {(view) =>
          open === "changes" ? (
            <Log view={view} />
          ) : open === "plan" ? (
            <Plan view={view} />
          ) : draft ? (
            <Draft view={view} />
          ) : (
            <Loaded query={found}>{(r) => <Report results={r} />}</Loaded>
          )
        }
      </Loaded>
    </Page>
  );
}

/** What was changed of the experiment, and of its flag where and since it runs: both bear on its results. */
function Log({ view: { experiment: e } }: { view: ExperimentView }) {
  const since = e.state.state === "draft" ? null : e.state.since;
  return (
    <>
      <ChangeLog about={{ experiment: e.key }} />
      {since !== null && (
        <Section title={`Its flag ${e.flag} in ${e.environment} since the start`}>
          <ChangeLog about={{ flag: e.flag }} only={{ since, environment: e.environment }} limit={200} />
        </Section>
      )}
    </>
  );
}

function Draft({ view }: { view: ExperimentView }) {
  return (
    <>
      <Note>
        <p className="strong">Nothing is counted yet.</p>
        <p className="hint">
          When it starts, the plan is fixed and exposures of{" "}
          <Link to="/flags/$flag" params={{ flag: view.experiment.flag }}>
            {view.experiment.flag}
          </Link>{" "}
          count. The flag must be on and split as planned.
        </p>
      </Note>
      <div style={{ height: 24 }} />
      <Plan view={view} />
    </>
  );
}

function Plan({ view: { experiment: e } }: { view: ExperimentView }) {
  const plan = e.plan;
  const metric = useQuery(metrics).data?.find((v) => v.metric.key === plan.metric)?.metric;
  const conversion = metric?.measure.measure === "conversion";
  return (
    <>
      {e.hypothesis && (
        <Section title="Hypothesis">
          <p style={{ color: "inherit" }}>{e.hypothesis}</p>
        </Section>
      )}
      <Section title="Plan" about="Decided before the data came; it cannot be edited once the experiment runs.">
        <dl className="facts">
          <div>
            <dt>Flag</dt>
            <dd>
              <Link to="/flags/$flag" params={{ flag: e.flag }}>
                {e.flag}
              </Link>{" "}
              in {e.environment}
            </dd>
          </div>
          <div>
            <dt>Metric that decides</dt>
            <dd>
              <Link to="/metrics/$metric" params={{ metric: plan.metric }}>
                {metric?.name ?? plan.metric}
              </Link>
            </dd>
          </div>
          <div>
            <dt>Arms</dt>
            <dd>{plan.arms.map((a) => `${a.variant} ${share(a.share)}`).join(", ")}</dd>
          </div>
          <div>
            <dt>Control</dt>
            <dd>{plan.control}</dd>
          </div>
          <div>
            <dt>Runs for</dt>
            <dd>{duration(plan.horizon.span)}</dd>
          </div>
          <div>
            <dt>False alarms</dt>
            <dd>at most {fixed((plan.alpha ?? 0.05) * 100, 0)}%, two-sided</dd>
          </div>
          <div>
            <dt>Effect worth finding</dt>
            <dd>
              {plan.effect == null
                ? "not planned"
                : conversion
                  ? `${fixed(plan.effect * 100, 1)} points`
                  : fixed(plan.effect, 2)}
            </dd>
          </div>
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
      <Button
        {...off}
        onClick={() =>
          void change({
            title: `Start ${e.name}?`,
            confirm: "Start",
            run: (why) => edit.startExperiment(e.key, { why, if_revision: view.revision }),
            done: `${e.name} is running`,
            moves: (
              <p style={{ margin: 0 }}>
                The plan is fixed from here on. Nobody gets another variant: the flag splits already.
              </p>
            ),
          })
        }
      >
        Start
      </Button>
    );
  }
  if (e.state.state !== "running") return null;
  const verdict = r?.judgement.verdict;
  const named = verdict && (verdict.verdict === "ship" || verdict.verdict === "keep") ? verdict.variant : null;
  const word = verdict?.verdict === "keep" ? "Keep" : "Ship";
  // While the sample ratio warns, the verdict alone is no reason: somebody has to give one.
  const ratio = r?.judgement.sample_ratio;
  const warned = ratio?.warn ? ratio : undefined;
  return (
    <Group gap="xs">
      <Button
        variant="default"
        {...off}
        onClick={() =>
          void change({
            title: `Stop ${e.name}?`,
            confirm: "Stop",
            danger: true,
            run: (why) => edit.stopExperiment(e.key, { why, if_revision: view.revision }),
            done: `${e.name} is stopped`,
            moves: <p style={{ margin: 0 }}>Later events do not count. The flag stays as it is.</p>,
          })
        }
      >
        Stop
      </Button>
      {named && (
        <Button
          {...off}
          onClick={() =>
            void change({
              title: `${word} ${named}?`,
              confirm: `${word} ${named}`,
              why: warned ? "" : (r?.judgement.sentence ?? ""),
              fixed: !warned,
              run: (why) =>
                edit.ship(e.key, { variant: named, if_revision: view.revision, ...(warned ? { why } : {}) }),
              done: `${named} is ${word === "Keep" ? "kept" : "shipped"}: ${e.flag} serves it to everybody in ${e.environment}`,
              moves: (
                <>
                  {warned && <RatioWarning ratio={warned} />}
                  <p style={{ margin: warned ? "12px 0 0" : 0 }}>
                    The experiment ends, and <span className="strong">{e.flag}</span> serves{" "}
                    <span className="strong">{named}</span> to everybody in {e.environment}.
                    {warned && " The verdict is put beside the reason that you give for shipping all the same."}
                  </p>
                </>
              ),
            })
          }
        >
          {word} {named}
        </Button>
      )}
    </Group>
  );
}

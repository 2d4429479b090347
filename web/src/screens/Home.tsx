//! Web: what needs a person, and what happened. On a new installation: the four steps of the loop.
import { useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { JSX, ReactNode } from "react";

import { catalogue, experiments, flags, guard, health, keys, metrics, proposals, segmentation } from "../api/queries";
import { me } from "../api/session";
import type { ExperimentView, FlagView } from "../api/types";
import { TimeChart } from "../charts/TimeChart";
import { count, plural } from "../lib/numbers";
import { servedText } from "../lib/serve";
import { and, capital } from "../lib/spoken";
import { addDays, civil, now, ZONE } from "../lib/time";
import { ChangeLog } from "../parts/ChangeLog";
import { Page, Section } from "../parts/Page";
import { Bones, Loaded, Unread } from "../parts/States";
import { Badge } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { useAround } from "./around";
import { Stage, daysLeft } from "./stage";

export function HomeScreen(): JSX.Element {
  const { here } = useEnvironment();
  const person = useQuery(me).data?.person;
  const all = useQuery(flags());
  const running = useQuery(experiments);
  const known = useQuery(catalogue(here.key));
  const to = civil(now());
  const from = addDays(to, -29);
  const activity = useQuery({
    ...segmentation({
      environment: here.key,
      event: "_any",
      measure: "uniques",
      from,
      to,
      zone: ZONE,
      filters: [],
      by: null,
      limit: 10,
    }),
    enabled: (known.data?.events.length ?? 0) > 0,
  });
  const fresh = known.data?.events.length === 0;
  const on = all.data?.filter((v) => v.flag.settings[here.key]?.on).length;
  const live = running.data?.filter((v) => v.experiment.state.state === "running") ?? [];
  return (
    <Page
      title={fresh ? `Welcome, ${person?.name ?? ""}` : "Home"}
      name="Home"
      state={
        fresh
          ? "Four steps close the loop: a flag serves a variant, people act, events come in, an experiment decides."
          : on === undefined || running.data === undefined || known.data === undefined
            ? // What is not known yet is no zero.
              undefined
            : `${plural(on, "flag")} on and ${plural(live.filter((v) => v.experiment.environment === here.key).length, "experiment")} running in ${here.name}.`
      }
    >
      {fresh ? (
        <FirstSteps flags={all.data?.length ?? 0} experiments={running.data?.length ?? 0} />
      ) : (
        <>
          <Section title="Now">
            <Loaded query={all} lines={3}>
              {(list) => <Attention list={list} environment={here.key} running={running} live={live} />}
            </Loaded>
          </Section>
          <section className="section">
            <Loaded query={known} lines={8}>
              {() => (
                <Loaded query={activity} lines={8}>
                  {(a) => (
                    <>
                      <h2 style={{ margin: 0, fontSize: 15, fontWeight: 500 }}>
                        <Link
                          to="/explore"
                          search={{ measure: "uniques" }}
                          style={{ textDecoration: "underline", textUnderlineOffset: 2 }}
                        >
                          Active people
                        </Link>{" "}
                        <span className="dim" style={{ fontWeight: 400 }}>
                          {count(a.series[0]?.total ?? 0)} in 30 days
                          {a.bots > 0 && `, without ${plural(a.bots, "event")} of programs`}
                        </span>
                      </h2>
                      <TimeChart
                        label="Active people by day"
                        unit="people"
                        dates={a.dates}
                        height={220}
                        partial={a.partial}
                        lines={[{ name: "people", values: a.series[0]?.values ?? [] }]}
                      />
                    </>
                  )}
                </Loaded>
              )}
            </Loaded>
          </section>
        </>
      )}
      <Section title="Last changes">
        <ChangeLog about={{}} limit={8} />
      </Section>
    </Page>
  );
}

type AttentionProps = {
  list: FlagView[];
  environment: string;
  running: UseQueryResult<ExperimentView[]>;
  /** Those of them that run. */
  live: ExperimentView[];
};

function Attention({ list, environment, running, live }: AttentionProps) {
  const rolling = list.filter((v) => v.flag.settings[environment]?.default.serve === "rollout");
  const around = useAround();
  const guards = useQueries({
    queries: rolling.map((v) => {
      const { default: serves } = v.flag.settings[environment] ?? {};
      const watched = serves?.serve === "rollout" && serves.rollout.guard != null;
      return { ...guard(v.flag.key, environment), retry: false, enabled: watched };
    }),
  });
  const items: { key: string; node: ReactNode }[] = [];
  for (const v of live.filter((e) => e.experiment.environment === environment)) {
    const left = daysLeft(v) ?? 0;
    items.push({
      key: `e-${v.experiment.key}`,
      node: (
        <>
          <Link className="key" to="/experiments/$experiment" params={{ experiment: v.experiment.key }}>
            {v.experiment.name}
          </Link>{" "}
          <Stage view={v} />{" "}
          <span className="dim">
            {left > 0 ? `decides by ${v.experiment.plan.metric}` : "its planned end has passed: look at the verdict"}
          </span>
        </>
      ),
    });
  }
  rolling.forEach((v, i) => {
    const s = v.flag.settings[environment];
    const about = around(v, environment);
    const state = s?.default.serve === "rollout" ? s.default.rollout.state.state : null;
    if (state === null || state === "done") return;
    const verdict = guards[i]?.data?.verdict.verdict;
    items.push({
      key: `r-${v.flag.key}`,
      node: (
        <>
          <Link className="key" to="/flags/$flag" params={{ flag: v.flag.key }} search={{ tab: "rollout" }}>
            {v.flag.name || v.flag.key}
          </Link>{" "}
          {state === "halted" ? <Badge tone="bad">rollout halted</Badge> : <Badge tone="accent">rolling out</Badge>}{" "}
          <span className="dim">
            {s && about ? capital(servedText(s, about)) : ""}
            {verdict && state !== "halted"
              ? `; guard ${{ quiet: "is quiet", harm: "shows harm", too_little: "has too little data", mismatch: "sees a sample ratio that is off" }[verdict]}`
              : ""}
          </span>
        </>
      ),
    });
  });
  const ofEvents = useOfEvents(environment);
  items.unshift(...ofEvents.items);
  const asked = [running, ...ofEvents.asked];
  const unread = (
    <>
      <Unread of={asked} />
      {asked.some((query) => query.isPending) && <Bones lines={1} />}
    </>
  );
  if (items.length === 0)
    return asked.some((query) => query.data === undefined) ? (
      unread
    ) : (
      <p className="dim" style={{ margin: 0 }}>
        Nothing waits for you: no experiment runs, no rollout is under way, and events come as planned.
      </p>
    );
  return (
    <>
      {unread}
      <ul className="panel plain attention">
        {items.map((item) => (
          <li className="line row" key={item.key}>
            {item.node}
          </li>
        ))}
      </ul>
    </>
  );
}

/** What of the events needs somebody: that none are taken, that they are unlike before, kept apart, or to be planned. */
function useOfEvents(environment: string): {
  items: { key: string; node: ReactNode }[];
  asked: UseQueryResult<unknown>[];
} {
  const wellbeing = useQuery({ ...health(environment), refetchInterval: 60_000 });
  const proposed = useQuery(proposals);
  const { data } = wellbeing;
  const open = proposed.data?.filter((v) => v.proposal.state.state === "open").length ?? 0;
  const items: { key: string; node: ReactNode }[] = [];
  if (data?.refusing)
    items.push({
      key: "refusing",
      node: (
        <>
          <Badge tone="bad">no events are taken</Badge> {data.refusing}
        </>
      ),
    });
  if (data && data.drifts.length > 0)
    items.push({
      key: "drift",
      node: (
        <>
          <Link className="key" to="/events" search={(old) => ({ env: old.env, tab: "health" })}>
            {plural(data.drifts.length, "thing")} unlike the days before
          </Link>{" "}
          <Badge tone="warn">drift</Badge> <span className="dim">in {and(typesOf(data.drifts))}</span>
        </>
      ),
    });
  if (data && data.quarantined > 0)
    items.push({
      key: "quarantine",
      node: (
        <>
          <Link className="key" to="/plan" search={(old) => ({ env: old.env, tab: "quarantine" })}>
            {plural(data.quarantined, "event")} in quarantine
          </Link>{" "}
          <span className="dim">until somebody releases or deletes them</span>
        </>
      ),
    });
  if (open > 0)
    items.push({
      key: "proposals",
      node: (
        <>
          <Link className="key" to="/plan" search={(old) => ({ env: old.env, tab: "proposals" })}>
            {plural(open, "proposal")} for the plan
          </Link>{" "}
          <span className="dim">to be looked at</span>
        </>
      ),
    });
  return { items, asked: [wellbeing, proposed] };
}

/** The event types of drifts, at most three of them by name. */
function typesOf(drifts: { event: string }[]): string[] {
  const types = [...new Set(drifts.map((d) => d.event))];
  return types.length > 3 ? [...types.slice(0, 2), `${types.length - 2} more`] : types;
}

function FirstSteps({ flags: made, experiments: planned }: { flags: number; experiments: number }) {
  const admin = useMay("admin");
  const secret = useQuery({ ...keys, enabled: admin.allowed }).data?.length ?? 0;
  const defined = useQuery(metrics).data?.length ?? 0;
  const steps = [
    { done: made > 0, to: "/flags/new", title: "Make a flag", why: "It decides at run time who gets which variant." },
    {
      done: secret > 0,
      to: "/settings",
      title: "Make a key and connect an SDK",
      why: "OpenFeature and Amplitude SDKs work unmodified, with this server's address.",
    },
    {
      done: defined > 0,
      to: "/metrics/new",
      title: "Define a metric",
      why: "A number per user, computed from the events that come in.",
    },
    {
      done: planned > 0,
      to: "/experiments/new",
      title: "Plan an experiment",
      why: "It compares variants by that metric and says what to ship.",
    },
  ] as const;
  return (
    <ol className="order" style={{ maxWidth: 720 }} aria-label="First steps">
      {steps.map((step) => (
        <li key={step.title}>
          <div className="row">
            <Link className="key" to={step.to}>
              {step.title}
            </Link>{" "}
            {step.done && <Badge tone="good">✓ done</Badge>}
          </div>
          <div className="under">{step.why}</div>
        </li>
      ))}
    </ol>
  );
}

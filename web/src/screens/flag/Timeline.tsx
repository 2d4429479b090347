//! Web: the way of a rollout as a chart and as a table: what was done, by whom and why, and what is expected.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef } from "react";

import { changes, schedules } from "../../api/queries";
import type { Environment, FlagView, Rollout, Setting } from "../../api/types";
import { along, breaksOf } from "../../charts/breaks";
import { ChartFrame } from "../../charts/ChartFrame";
import { StepChart, type Picture, type Step } from "../../charts/TimeChart";
import { share } from "../../lib/numbers";
import { writeSpan } from "../../lib/span";
import { capital } from "../../lib/spoken";
import { ago, exact, now as clock } from "../../lib/time";
import { future, past, type Event, type Future, type Past } from "../../lib/timeline";
import { DataTable } from "../../parts/DataTable";
import { Failed, Loaded, Said } from "../../parts/States";
import { Badge, When, type Tone } from "../../parts/Words";

type Props = { view: FlagView; setting: Setting; here: Environment; rollout: Rollout };

/** So many changes of the flag are looked through for the steps of its rollout. */
const LOG = 200;

export function Timeline({ view, setting, here, rollout }: Props) {
  const key = view.flag.key;
  const log = useQuery(changes({ flag: key }, undefined, LOG));
  const plans = useQuery(schedules(here.key, key));
  return (
    <section className="section">
      <Loaded query={log}>
        {({ changes: list, next }) => {
          const done = past(list, here.key, rollout, setting.on);
          const now = Math.max(clock(), done.at(-1)?.at ?? 0);
          const coming = future(rollout, setting.on, plans.data ?? [], now);
          return (
            <>
              {plans.isError && <Failed error={plans.error} retry={() => void plans.refetch()} />}
              <Drawn done={done} coming={coming} now={now} flag={key} rollout={rollout} />
              {next != null && done[0]?.event !== "started" && (
                <p className="dim plain-p">
                  It began before the newest {LOG} changes of the flag:{" "}
                  <Link to="." search={(old) => ({ ...old, tab: "changes" })}>
                    its log
                  </Link>{" "}
                  has the rest.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

const TONES: Partial<Record<Event, Tone>> = {
  halted: "bad",
  finished: "good",
  paused: "warn",
  "turned off": "warn",
};

/** What is named over the axis of the chart: what stops a rollout, and what lets it go on. */
function markOf({ event, by }: { event: Event; by?: Past["by"] }): string | undefined {
  if (event === "halted") return by?.kind === "guard" ? "▼ guard halted it" : "▼ halted";
  if (event === "paused") return "‖ paused";
  if (event === "resumed") return "▶ resumed";
  return event === "turned off" || event === "turned on" ? `flag ${event}` : undefined;
}

type DrawnProps = { done: Past[]; coming: Future[]; now: number; flag: string; rollout: Rollout };
type Row = (Past & { coming: false }) | (Future & { coming: true });

function Drawn({ done, coming, now, flag, rollout }: DrawnProps) {
  const picture = useRef<Picture>(null);
  const { state, ramp } = rollout;
  const paused = ramp?.pace.pace === "paused" && state.state === "widening" ? ramp.pace.left : undefined;
  const rows: Row[] = [
    ...coming.map((c) => ({ ...c, coming: true as const })).reverse(),
    ...done.map((d) => ({ ...d, coming: false as const })).reverse(),
  ];
  // The chart is drawn anew when a step comes or a minute has passed, not with every look at the clock.
  const minute = Math.floor(now / 60_000);
  const said = JSON.stringify([done, coming.map((c) => [c.event, c.share, c.schedule])]);
  const { steps, from, to, breaks } = useMemo(() => {
    const steps: Step[] = [
      ...done.map((d) => ({
        at: d.at,
        share: d.share,
        expected: false,
        mark: markOf(d),
        said: `${d.event} by ${d.by.name}${d.why ? `: ${d.why}` : ""}`,
      })),
      ...coming.map((c) => ({
        at: c.at,
        share: c.share,
        expected: true,
        mark: markOf(c),
        said: c.schedule
          ? `${c.event}, scheduled`
          : paused === undefined
            ? `${c.event}, expected`
            : "if it were resumed now",
      })),
    ];
    const from = done[0]?.at ?? rollout.started;
    // What is settled long ago does not stretch to today.
    const settled = state.state !== "widening" && coming.length === 0 ? (done.at(-1)?.at ?? now) : undefined;
    const open = settled === undefined;
    const last = Math.max(steps.at(-1)?.at ?? from, settled ?? now);
    const breaks = breaksOf([from, ...steps.map((s) => s.at), ...(open ? [now] : [])]);
    // Up to now the line is solid to its end; what is to come, or is over, has some room behind it.
    const room = open && coming.length === 0 ? 0 : along(last, from, breaks) * 0.06;
    return { steps, from, breaks, to: Math.max(last + room, from + 60_000) };
  }, [said, minute, paused, rollout.started, state.state]);
  const file = `rollout-${flag}-${rollout.candidate}`;
  return (
    <ChartFrame
      title={`Share of “${rollout.candidate}” over time`}
      file={file}
      picture={picture}
      open
      head={["at", "share_percent", "event", "by", "why", "expected"]}
      rows={[...rows]
        .reverse()
        .map((r) => [
          new Date(r.at).toISOString(),
          r.share / 100,
          r.event,
          r.coming ? (r.schedule ? "schedule" : "ramp") : r.by.name,
          r.coming ? "" : r.why,
          r.coming,
        ])}
      twin={
        <DataTable
          label={`${file}, as a table`}
          rows={rows}
          id={(r) => (r.coming ? `${r.at} ${r.event} ${r.schedule ?? ""}` : String(r.revision))}
          columns={[
            {
              key: "when",
              head: "When",
              cell: (r) =>
                r.coming ? (
                  paused !== undefined && r.schedule === undefined ? (
                    <span className="nowrap">{writeSpan(r.at - now)} after resuming</span>
                  ) : (
                    <time dateTime={new Date(r.at).toISOString()} title={exact(r.at)} className="nowrap">
                      {ago(r.at)}
                    </time>
                  )
                ) : (
                  <When at={r.at} />
                ),
            },
            { key: "share", head: "Share", right: true, cell: (r) => share(r.share) },
            {
              key: "event",
              head: "What",
              wide: true,
              cell: (r) => (
                <>
                  <Badge tone={r.coming ? "off" : (TONES[r.event] ?? "plain")}>
                    {r.event.startsWith("turned") ? `flag ${r.event}` : r.event}
                  </Badge>{" "}
                  <span className="dim">
                    {r.coming ? (r.schedule ? "as scheduled" : "expected, by the ramp") : `by ${r.by.name}`}
                  </span>
                  {!r.coming && r.why && (
                    <div className="under">
                      <Said>{capital(r.why)}</Said>
                    </div>
                  )}
                </>
              ),
            },
            {
              key: "revision",
              head: "Revision",
              right: true,
              roomy: true,
              cell: (r) =>
                r.coming ? (
                  <span className="dim">to come</span>
                ) : (
                  <Link to="/changes" search={{ flag, before: String(r.revision + 1) }}>
                    r{r.revision}
                  </Link>
                ),
            },
          ]}
        />
      }
    >
      <StepChart
        ref={picture}
        label={`Share of ${rollout.candidate} over time`}
        steps={steps}
        from={from}
        to={to}
        now={now}
        breaks={breaks}
      />
      <p className="dim plain-p">
        Times in UTC.{" "}
        {coming.length > 0 &&
          (paused === undefined ? "Dashed is what is expected." : "Dashed is what would be if it were resumed now.")}
      </p>
    </ChartFrame>
  );
}

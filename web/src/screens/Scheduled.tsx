//! Web: changes of a flag or a beta for a time to come: planned by a form, listed while they wait, and what became of
//! those whose time has come.
import { Button, Group, NumberInput, SegmentedControl, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { edit } from "../api/edits";
import { schedules } from "../api/queries";
import type { Environment, Planned, ScheduleView } from "../api/types";
import { choices, plannedText, sorted, usual, wrongPlan, type Subject } from "../lib/planned";
import { capital } from "../lib/spoken";
import { ago, exact, fieldOf, hereText, momentOf, now as clock, ZONE } from "../lib/time";
import { useChange } from "../parts/Change";
import { DataTable, type Column } from "../parts/DataTable";
import { Section } from "../parts/Page";
import { Loaded, Said } from "../parts/States";
import { Badge, Note, When } from "../parts/Words";
import { useMay } from "../shell/may";

type Props = {
  of: Subject;
  /** The variants of the flag. */
  variants?: string[];
  here: Environment;
};

export function Scheduled({ of, variants = [], here }: Props) {
  const query = useQuery(schedules(here.key, "flag" in of ? of.flag : undefined));
  return (
    <>
      <Plan of={of} variants={variants} here={here} />
      <Loaded query={query}>
        {(list) => {
          const { waiting, over } = sorted(list, of);
          return (
            <>
              <Section title={`Waiting in ${here.name}`}>
                {waiting.length === 0 ? (
                  <p className="dim">Nothing is scheduled here.</p>
                ) : (
                  <Waiting list={waiting} here={here} />
                )}
              </Section>
              {over.length > 0 && (
                <Section title="Over" about="What became of earlier plans.">
                  <DataTable label="Scheduled changes that are over" rows={over} id={idOf} columns={OVER} />
                </Section>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

const idOf = (v: ScheduleView) => v.schedule.key;

const WHEN: Column<ScheduleView> = {
  key: "when",
  head: `When, ${ZONE}`,
  cell: (v) => (
    <time dateTime={new Date(v.schedule.at).toISOString()} title={exact(v.schedule.at)} className="strong when">
      {ago(v.schedule.at)}
    </time>
  ),
};

function What({ view: { schedule, sentence, planned_by } }: { view: ScheduleView }) {
  return (
    <>
      {capital(sentence)}
      <div className="under">
        planned by {planned_by.name}
        {schedule.why && (
          <>
            : <Said>{schedule.why}</Said>
          </>
        )}
      </div>
    </>
  );
}

function Waiting({ list, here }: { list: ScheduleView[]; here: Environment }) {
  const { change } = useChange();
  const may = useMay("editor");
  return (
    <DataTable
      label="Scheduled changes that wait"
      rows={list}
      id={idOf}
      columns={[
        WHEN,
        {
          key: "what",
          head: "What",
          wide: true,
          cell: (v) => (
            <>
              <What view={v} />
              {v.schedule.at <= clock() && <Badge tone="warn">its time has come</Badge>}
            </>
          ),
        },
        {
          key: "cancel",
          head: <span className="sr">Cancel</span>,
          right: true,
          cell: (v) => (
            <Button
              size="compact-sm"
              variant="default"
              disabled={!may.allowed}
              title={may.allowed ? undefined : may.reason}
              aria-label={`Cancel: ${v.sentence}`}
              onClick={() =>
                void change({
                  title: `Cancel what is scheduled in ${here.name}?`,
                  confirm: "Do not do it",
                  quick: !here.production,
                  why: here.production ? "" : "cancelled in the page",
                  moves: (
                    <p style={{ margin: 0 }}>
                      To {v.sentence}, {ago(v.schedule.at)} {ZONE}, will not be done.
                    </p>
                  ),
                  run: (why) => edit.cancelSchedule(v.schedule.key, { why, if_revision: v.revision }),
                  undo: ({ why }) =>
                    edit.schedule({
                      environment: v.schedule.environment,
                      planned: v.schedule.planned,
                      at: v.schedule.at,
                      why: v.schedule.why || why,
                    }),
                  done: `To ${v.sentence} is cancelled`,
                })
              }
            >
              Cancel
            </Button>
          ),
        },
      ]}
    />
  );
}

const OVER: Column<ScheduleView>[] = [
  WHEN,
  {
    key: "what",
    head: "What, and what became of it",
    wide: true,
    // One cell: a reason needs the width of the page where that is narrow.
    cell: (v) => (
      <div className="fate">
        <div>
          <What view={v} />
        </div>
        <div className="became">
          <Became view={v} />
        </div>
      </div>
    ),
  },
];

function Became({ view: { schedule } }: { view: ScheduleView }) {
  const { state, planned } = schedule;
  if (state.state === "waiting") return null;
  const about = "flag" in planned ? { flag: planned.flag } : { beta: planned.beta };
  if (state.state === "done")
    return (
      <>
        <Badge tone="good">done</Badge> <When at={state.at} /> at revision{" "}
        <Link to="/changes" search={{ ...about, before: String(state.revision + 1) }}>
          r{state.revision}
        </Link>
      </>
    );
  if (state.state === "cancelled")
    return (
      <>
        <Badge tone="off">cancelled</Badge> <When at={state.at} />
      </>
    );
  return (
    <>
      <Badge tone="bad">refused</Badge> <When at={state.at} />
      <div className="under">
        <Said>{capital(state.because)}</Said>
      </div>
    </>
  );
}

function Plan({ of, variants, here }: Props & { variants: string[] }) {
  const { change } = useChange();
  const may = useMay("editor");
  const all = choices(of);
  const [planned, setPlanned] = useState<Planned | undefined>(all[0]?.from);
  const [field, setField] = useState("");
  const [warnings, setWarnings] = useState<ScheduleView["warnings"]>([]);
  const plan = all.find((c) => c.value === planned?.plan);
  // What is there may end while one looks at it, such as a rollout.
  useEffect(() => {
    if (!plan) setPlanned(all[0]?.from);
  }, [plan, all]);
  if (!planned || !plan) return null;
  const now = clock();
  const at = momentOf(field);
  const wrong = wrongPlan(planned, at, now);
  const said = plannedText(planned);
  const there = at === null ? null : hereText(at);
  const submit = async () => {
    if (at === null) return;
    let key = "";
    const made = await change({
      title: `Schedule a change in ${here.name}?`,
      confirm: "Schedule it",
      quick: !here.production,
      why: here.production ? "" : "scheduled in the page",
      moves: (
        <>
          <p style={{ margin: 0 }}>
            To <b>{said}</b>, {exact(at)}.
          </p>
          <p className="dim" style={{ margin: "8px 0 0" }}>
            It is made to what is there then, with this reason, or refused and said why. Until then it can be cancelled.
          </p>
        </>
      ),
      run: async (why) => {
        const view = await edit.schedule({ environment: here.key, planned, at, why });
        key = view.schedule.key;
        setWarnings(view.warnings);
        // They stand beside the form, and not in what is said of the change.
        return { revision: view.revision };
      },
      undo: (because) => {
        setWarnings([]);
        return edit.cancelSchedule(key, because);
      },
      done: `To ${said} is scheduled for ${ago(at)} ${ZONE}`,
    });
    if (made) setField("");
  };
  return (
    <Section
      title="Schedule a change"
      about="It is made by itself when its time has come, to what is there then. A server that was away does it when it is back."
    >
      <form
        className="form"
        aria-label="Schedule a change"
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <div className="fields">
          <Select
            label="What"
            value={planned.plan}
            allowDeselect={false}
            data={all.map(({ value, label }) => ({ value, label }))}
            onChange={(v) => setPlanned(all.find((c) => c.value === v)?.from ?? planned)}
          />
          <Details planned={planned} variants={variants} onChange={setPlanned} />
        </div>
        <div>
          <TextInput
            type="datetime-local"
            label={`When, in ${ZONE}`}
            maw={312}
            min={fieldOf(now)}
            value={field}
            error={at !== null && at <= now ? "This time has passed" : undefined}
            onChange={(e) => setField(e.currentTarget.value)}
          />
          <Group gap={4} mt={8} role="group" aria-label="Usual times">
            {usual(now).map((u) => (
              <Button key={u.name} size="compact-sm" variant="default" onClick={() => setField(u.field)}>
                {u.name}
              </Button>
            ))}
          </Group>
          {at !== null && at > now && (
            <p className="dim plain-p" role="status">
              {exact(at)}
              {there && `, ${there} by the clock of this browser`}
            </p>
          )}
        </div>
        {planned.plan === "reshare" && (
          <Note>
            <p>
              Growth takes from those who are not enrolled first; whoever has a variant keeps it as far as shares allow.
            </p>
          </Note>
        )}
        <Group gap="sm">
          <Button type="submit" disabled={!may.allowed || wrong !== null} title={may.allowed ? undefined : may.reason}>
            {here.production ? "Review and schedule" : "Schedule it"}
          </Button>
          {field && wrong && <span className="dim">Cannot be scheduled yet: {wrong}</span>}
        </Group>
        {warnings.length > 0 && (
          <Note tone="warn">
            <p>
              <b>It is scheduled. As things are now, this speaks against it:</b>
            </p>
            {warnings.map((w) => (
              <p key={w.message}>
                <Said>{capital(w.message)}</Said>
              </p>
            ))}
          </Note>
        )}
      </form>
    </Section>
  );
}

/** The fields that only some plans have. */
function Details({
  planned,
  variants,
  onChange,
}: {
  planned: Planned;
  variants: string[];
  onChange: (planned: Planned) => void;
}) {
  const percent = (label: string, points: number, set: (points: number) => void) => (
    <NumberInput
      key={label}
      label={label}
      suffix="%"
      min={0}
      max={100}
      decimalScale={2}
      value={points / 100}
      onChange={(v) => set(Math.round((Number(v) || 0) * 100))}
    />
  );
  if (planned.plan === "toggle" || planned.plan === "switch")
    return (
      <div>
        <p className="label" id="planned-on">
          Then it is
        </p>
        <SegmentedControl
          aria-labelledby="planned-on"
          value={planned.on ? "on" : "off"}
          data={[
            { value: "on", label: "On" },
            { value: "off", label: "Off" },
          ]}
          onChange={(v) => onChange({ ...planned, on: v === "on" })}
        />
      </div>
    );
  if (planned.plan === "widen")
    return percent("Candidate's share", planned.share, (points) => onChange({ ...planned, share: points }));
  if (planned.plan !== "reshare") return null;
  const points = (v: string) => planned.shares.find((s) => s.variant === v)?.share ?? 0;
  return (
    <>
      {variants.map((v) =>
        percent(v, points(v), (to) =>
          onChange({
            ...planned,
            shares: variants
              .map((variant) => ({ variant, share: variant === v ? to : points(variant) }))
              .filter((s) => s.share > 0 || planned.shares.some((had) => had.variant === s.variant)),
          }),
        ),
      )}
    </>
  );
}

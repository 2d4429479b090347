//! Web: segmentation. How often an event happened, or by how many people, by day and by the values of
//! one property. The whole question is in the address.
import { Autocomplete, Select, SegmentedControl, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState, type JSX } from "react";

import { catalogue, changes, properties, segmentation } from "../api/queries";
import type { Segmentation } from "../api/types";
import { ChartFrame } from "../charts/ChartFrame";
import { TimeChart, type Mark, type Picture } from "../charts/TimeChart";
import { count, plural } from "../lib/numbers";
import type { Question } from "../lib/question";
import { decodeFilters, encodeFilter, type Filter } from "../lib/search";
import { addDays, civil, dateLabel, HERE, isDate, now, ZONE } from "../lib/time";
import { Filters } from "../parts/Filters";
import { Page } from "../parts/Page";
import { PropertyInput } from "../parts/PropertyInput";
import { Empty, Loaded, Warnings } from "../parts/States";
import { typedOnly } from "../parts/typed";
import { useSeries } from "../parts/Words";
import { useEnvironment } from "../shell/environment";

/** How the field names the question about every event. */
const ANY = "Any event";
const RANGES = [7, 14, 30, 90] as const;

/** How a unit that is a kind of groups begins. */
const GROUP = "group:";

/** The kinds of groups that can be counted: those that were seen, and the one that is asked for. */
function kindsOf(properties: { property: string }[], unit: string | undefined): string[] {
  const seen = properties.flatMap((p) => (p.property.startsWith("group.") ? [p.property.slice("group.".length)] : []));
  const asked = unit?.slice(GROUP.length);
  return asked && !seen.includes(asked) ? [...seen, asked] : seen;
}

const kindText = (kind: string) => `Groups: ${kind}`;

export function ExploreScreen(): JSX.Element {
  const question = useSearch({ from: "/inside/explore" });
  const navigate = useNavigate({ from: "/explore" });
  const { here } = useEnvironment();
  const known = useQuery(catalogue(here.key));
  const today = civil(now());
  const to = question.to ?? today;
  const from = question.from ?? addDays(to, -29);
  const zone = question.zone ?? ZONE;
  const event = question.event ?? "_any";
  const shown = event === "_any" ? ANY : event;
  const type = event === "_any" ? null : event;
  const having = useQuery(properties(here.key, event)).data;
  const measure = question.measure ?? "totals";
  const filters = decodeFilters(question.where);
  const kinds = kindsOf(having?.properties ?? [], question.unit);
  const set = (part: Partial<Question>) => void navigate({ search: (old) => ({ ...old, ...part }), replace: true });
  // Conditions that are being written are not asked yet; the address holds the finished ones.
  const [draft, setDraft] = useState<Filter[]>(filters);
  const [by, setBy] = useState(question.by ?? "");
  useEffect(() => setBy(question.by ?? ""), [question.by]);
  const finished = (list: Filter[]) => list.filter((f) => f.property && f.values.length > 0);
  const answer = useQuery(
    segmentation({
      environment: here.key,
      event,
      measure,
      unit: question.unit ?? "people",
      from,
      to,
      zone,
      filters,
      by: question.by ?? null,
      bots: question.bots === "in",
      limit: 8,
    }),
  );
  const marks = useMarks(here.key, from, to);
  const range = to === today ? RANGES.find((d) => addDays(to, 1 - d) === from) : undefined;
  const events = (known.data?.events ?? []).map((e) => e.event);
  return (
    <Page title="Explore" state="How often something happens, or to how many people or groups, day by day.">
      <div className="explore">
        <section className="builder" aria-label="The question">
          <div className="fields">
            <Autocomplete
              label="Event"
              data={[
                { group: "All", items: [ANY] },
                { group: `Seen in ${here.name}`, items: events },
              ]}
              description="any event, or one by its name"
              onOptionSubmit={(v) => set({ event: v === ANY ? undefined : v })}
              onBlur={(e) => {
                const v = e.currentTarget.value.trim();
                if (v && v !== shown) set({ event: v === ANY ? undefined : v });
              }}
              filter={typedOnly(shown)}
              onFocus={(e) => e.currentTarget.select()}
              maxDropdownHeight={280}
              key={event}
              defaultValue={shown}
            />
            <PropertyInput
              label="Broken down by"
              description="a property of the event or its user, or a kind of group"
              known={having}
              event={type}
              value={by}
              placeholder="Nothing"
              onChange={setBy}
              onOptionSubmit={(property) => set({ by: property })}
              onBlur={() => set({ by: by.trim() || undefined })}
              onKeyDown={(e) => {
                if (e.key === "Enter") set({ by: by.trim() || undefined });
              }}
            />
          </div>
          <div className="row">
            <SegmentedControl
              aria-label="Counted"
              value={question.unit ?? measure}
              onChange={(v) =>
                set({ measure: v === "totals" ? undefined : "uniques", unit: v.startsWith(GROUP) ? v : undefined })
              }
              data={[
                { value: "totals", label: "Events" },
                { value: "uniques", label: "People" },
                ...kinds.map((kind) => ({ value: GROUP + kind, label: kindText(kind) })),
              ]}
            />
            <SegmentedControl
              aria-label="Days"
              value={range ? String(range) : "own"}
              onChange={(v) => {
                if (v !== "own") set({ to: undefined, from: v === "30" ? undefined : addDays(today, 1 - Number(v)) });
              }}
              data={[
                ...RANGES.map((d) => ({ value: String(d), label: `${d} days` })),
                { value: "own", label: "Custom", disabled: range !== undefined },
              ]}
            />
            <TextInput
              type="date"
              aria-label="First day"
              value={from}
              max={to}
              w={150}
              onChange={(e) => {
                const v = e.currentTarget.value;
                if (isDate(v)) set({ from: v });
              }}
            />
            <span className="dim">to</span>
            <TextInput
              type="date"
              aria-label="Last day"
              value={to}
              min={from}
              w={150}
              onChange={(e) => {
                const v = e.currentTarget.value;
                if (isDate(v)) set({ to: v });
              }}
            />
            <Select
              aria-label="Zone"
              data={[...new Set([zone, ZONE, HERE])]}
              value={zone}
              w={170}
              allowDeselect={false}
              onChange={(v) => set({ zone: v && v !== ZONE ? v : undefined })}
            />
          </div>
          <Filters
            label="Where"
            known={having}
            event={type}
            value={draft}
            onChange={(list) => {
              setDraft(list);
              const done = finished(list).map(encodeFilter);
              set({ where: done.length ? done : undefined });
            }}
          />
        </section>
        <Loaded query={answer} lines={10}>
          {(a) => (
            <>
              <Warnings list={a.warnings} />
              <Chart answer={a} marks={marks} updating={answer.isPlaceholderData} />
              <Programs answer={a} onChange={(counted) => set({ bots: counted ? "in" : undefined })} />
            </>
          )}
        </Loaded>
      </div>
    </Page>
  );
}

/** What programs did is left out and said; who wants it counts it. */
function Programs({ answer: a, onChange }: { answer: Segmentation; onChange: (counted: boolean) => void }) {
  const counted = a.asked.bots === true;
  if (!counted && a.bots === 0) return null;
  return (
    <label className="check dim" style={{ fontSize: 13 }}>
      <input type="checkbox" checked={counted} onChange={(e) => onChange(e.currentTarget.checked)} />
      {counted
        ? "What programs such as crawlers did is counted."
        : `${plural(a.bots, "event")} of programs such as crawlers ${a.bots === 1 ? "is" : "are"} left out. Count them.`}
    </label>
  );
}

/** Changes of flags and experiments here, as marks on the time axis. */
function useMarks(environment: string, from: string, to: string): Mark[] {
  const log = useQuery(changes({}, undefined, 500)).data;
  return useMemo(
    () =>
      (log?.changes ?? [])
        .flatMap((v) => {
          const date = civil(v.change.at);
          const edit = v.change.edit as Record<string, unknown>;
          const here =
            edit["environment"] === undefined
              ? String(edit["edit"]).startsWith("experiment_st") || edit["edit"] === "experiment_shipped"
              : edit["environment"] === environment;
          return here &&
            typeof edit["edit"] === "string" &&
            date >= from &&
            date <= to &&
            !edit["edit"].endsWith("_created")
            ? [{ date, text: v.sentence.replace(` in ${environment}`, "") }]
            : [];
        })
        .reverse(),
    [log, environment, from, to],
  );
}

function Chart({ answer: a, marks, updating }: { answer: Segmentation; marks: Mark[]; updating: boolean }) {
  const picture = useRef<Picture>(null);
  const [markers, setMarkers] = useState(true);
  const color = useSeries();
  const { asked } = a;
  const uniques = asked.measure === "uniques";
  const kind = asked.unit?.startsWith(GROUP) ? asked.unit.slice(GROUP.length) : undefined;
  const who = kind === undefined ? "people" : `groups (${kind})`;
  const Who = kind === undefined ? "People" : kindText(kind);
  const name = asked.event === "_any" ? "any event" : asked.event;
  const lines = useMemo(() => a.series.map((s) => ({ name: s.group ?? name, values: s.values })), [a.series, name]);
  const total = a.series.reduce((sum, s) => sum + s.total, 0);
  const title = `${
    asked.event === "_any"
      ? uniques
        ? `${Who} with any event`
        : "All events"
      : `${uniques ? `${Who} ${kind === undefined ? "who" : "that"} did` : "Count of"} ${name}`
  }${asked.by ? `, by ${asked.by}` : ""}`;
  const file = `${name.replaceAll(/\W+/g, "-")}-${asked.from}-${asked.to}`;
  if (total === 0) {
    return (
      <Empty
        title={asked.event === "_any" ? "No events in these days" : `No “${asked.event}” in these days`}
        why={`Nothing matched from ${dateLabel(asked.from, a.dates[a.dates.length - 1])} to ${dateLabel(asked.to, asked.from)} in ${asked.environment}. Take more days${asked.filters?.length ? ", drop a condition" : ""}, or look at what does come in.`}
      >
        <Link to="/events">See the events</Link>
      </Empty>
    );
  }
  return (
    <section aria-busy={updating}>
      <ChartFrame
        title={
          <>
            {title} {updating && <span className="dim">updating</span>}
          </>
        }
        file={file}
        picture={picture}
        open
        head={["day", ...lines.map((l) => l.name)]}
        rows={a.dates.map((date, d) => [date, ...a.series.map((s) => s.values[d] ?? 0)])}
        shown={(v) => count(v)}
      >
        {asked.by ? (
          <p className="dim" style={{ margin: "0 0 4px" }}>
            {plural(a.series.length, "value")} of {asked.by}
          </p>
        ) : (
          <p className="big num" title={String(total)}>
            {count(total)}
            <span>
              {" "}
              {uniques ? who : "events"} in {plural(a.dates.length, "day")}
            </span>
          </p>
        )}
        <TimeChart
          ref={picture}
          label={title}
          unit={uniques ? (kind === undefined ? "people" : "groups") : "events"}
          dates={a.dates}
          lines={lines}
          partial={a.partial}
          marks={markers ? marks : []}
        />
        <div className="row dim" style={{ marginTop: 8, fontSize: 13 }}>
          <span>Days in {asked.zone}.</span>
          {a.partial && <span>{dateLabel(a.partial)} is not over yet: dashed.</span>}
          {a.cut.groups > 0 && (
            <span>
              {plural(a.cut.groups, "more value")} not drawn; the largest has {count(a.cut.largest)}.
            </span>
          )}
          {marks.length > 0 && (
            <label className="check">
              <input type="checkbox" checked={markers} onChange={(e) => setMarkers(e.currentTarget.checked)} /> Mark
              changes
            </label>
          )}
        </div>
        {marks.length > 0 && markers && (
          <details className="marks">
            <summary>{plural(marks.length, "change")} in these days</summary>
            <ul className="plain">
              {marks.map((m, i) => (
                <li key={i}>
                  <span className="dim num">{dateLabel(m.date, a.dates[a.dates.length - 1])}</span> {m.text}
                </li>
              ))}
            </ul>
          </details>
        )}
        {lines.length > 1 && (
          <ul className="legend totals" aria-label="Totals">
            {a.series.map((s, i) => (
              <li key={i}>
                <i style={{ background: color(i) }} />
                <span className="strong">{s.group ?? name}</span> {count(s.total)}
              </li>
            ))}
          </ul>
        )}
      </ChartFrame>
      <details style={{ marginTop: 24 }}>
        <summary>
          <Title order={2} style={{ display: "inline" }}>
            How this was computed
          </Title>
        </summary>
        <p className="dim">From all events up to number {count(a.seq)}. The same over the API:</p>
        <pre className="how mono" tabIndex={0}>{`POST /api/query/segmentation\n${JSON.stringify(asked, null, 2)}`}</pre>
      </details>
    </section>
  );
}

//! Web: one event type as it came: how often by day, what is in it, and how that stands to the plan.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useRef } from "react";

import { catalogue, plan as planQuery, properties, violations } from "../../api/queries";
import type { Properties, SeenProperty, Segmentation, TrackingPlan } from "../../api/types";
import { ChartFrame } from "../../charts/ChartFrame";
import { DAYS, daily } from "../../charts/Spark";
import { TimeChart, type Picture } from "../../charts/TimeChart";
import { count, plural } from "../../lib/numbers";
import { own } from "../../lib/own";
import { astray, kindText, personalIn, reserved, seenText, shareText } from "../../lib/plan";
import { nameText, unturned } from "../../lib/sent";
import { ago, dateLabel, moment } from "../../lib/time";
import { DataTable, type Column } from "../../parts/DataTable";
import { Page, Section } from "../../parts/Page";
import { Bones, Empty, Loaded, Unread } from "../../parts/States";
import { Badge, Note } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { Standing } from "./Catalogue";
import { SendOne } from "./SendOne";

export function KindPage({ event }: { event: string }) {
  const { here } = useEnvironment();
  const known = useQuery(catalogue(here.key));
  const rules = useQuery(planQuery);
  const plan = rules.data?.plan;
  const volume = useQuery({ ...daily(here.key, event), refetchInterval: 60_000 });
  const seen = useQuery(properties(here.key, event));
  const judged = useQuery(violations(here.key));
  const wrong = (judged.data?.violations ?? []).filter((v) => v.event === event);
  const kind = known.data?.events.find((e) => e.event === event);
  const planned = own(plan?.events, event);
  return (
    <Page
      name={event}
      title={
        <>
          {nameText(event)} <Standing plan={plan} event={event} />
        </>
      }
      above={{ label: "Events", to: "/events" }}
      state={
        known.data
          ? kind
            ? `${planned?.description ? `${planned.description} ` : ""}${plural(kind.count, "event")}${kind.bots > 0 ? `, ${count(kind.bots)} of programs,` : ""}${kind.ahead > 0 ? `, ${count(kind.ahead)} dated ahead,` : ""} in ${here.name} since ${moment(kind.first)}, the last ${ago(kind.last)}.${planned?.owner ? ` ${planned.owner} answers for it.` : ""}`
            : `None in ${here.name} yet.`
          : undefined
      }
      actions={
        <>
          <Button variant="default" renderRoot={(props) => <Link to="/explore" search={{ event }} {...props} />}>
            Explore
          </Button>
          {!reserved(event) && plan && (
            <Button variant="default" renderRoot={(props) => <Link to="/plan" search={{ event }} {...props} />}>
              {planned ? "Open in the plan" : "Plan it"}
            </Button>
          )}
        </>
      }
    >
      <Unread of={[rules, judged]} />
      {known.data && (rules.isPending || judged.isPending) && <Bones lines={1} />}
      {wrong.length > 0 && (
        <div style={{ marginBottom: 16 }}>
          <Note tone="warn">
            <p>
              {astray(wrong, count)}{" "}
              <Link to="/plan" search={(old) => ({ env: old.env, tab: "violations", of: event })}>
                See how
              </Link>
            </p>
          </Note>
        </div>
      )}
      <Loaded query={known} lines={10}>
        {() =>
          !kind ? (
            <Empty
              title={`No “${unturned(event)}” events in ${here.name} yet`}
              why="What is taken shows within a second."
            >
              <SendOne event={event} />
            </Empty>
          ) : (
            <>
              <Loaded query={volume} lines={8}>
                {(a) => <Volume answer={a} event={event} />}
              </Loaded>
              <Loaded query={seen} lines={4}>
                {(found) => <Contents found={found} plan={plan} event={event} programs={kind.bots > 0} />}
              </Loaded>
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Volume({ answer: a, event }: { answer: Segmentation; event: string }) {
  const picture = useRef<Picture>(null);
  const values = useMemo(() => a.series[0]?.values ?? a.dates.map(() => 0), [a]);
  const lines = useMemo(() => [{ name: nameText(event), values }], [event, values]);
  const total = values.reduce((sum, v) => sum + v, 0);
  return (
    <section style={{ marginBottom: 32 }} aria-label="By day">
      <ChartFrame
        title={`By day, the last ${DAYS} days`}
        file={`${event.replaceAll(/\W+/g, "-")}-${a.asked.from}-${a.asked.to}`}
        picture={picture}
        head={["day", event]}
        rows={a.dates.map((date, d) => [date, values[d] ?? 0])}
        shown={(v) => count(v)}
      >
        <TimeChart
          ref={picture}
          label={`${nameText(event)} by day`}
          unit="events"
          height={220}
          dates={a.dates}
          lines={lines}
          partial={a.partial}
        />
        <p className="dim" style={{ margin: "4px 0 0", fontSize: 13 }}>
          {plural(total, "event")}. Days in {a.asked.zone}.
          {a.partial && ` ${dateLabel(a.partial)} is not over yet: dashed.`}{" "}
          {a.bots === 0 ? (
            "Programs such as crawlers are left out; on these days they did none."
          ) : (
            <>
              {plural(a.bots, "event")} of programs such as crawlers {a.bots === 1 ? "is" : "are"} left out.{" "}
              <Link to="/explore" search={(old) => ({ env: old.env, event, bots: "in" })}>
                Count them
              </Link>
            </>
          )}
        </p>
      </ChartFrame>
    </section>
  );
}

type Row = SeenProperty & { missing?: true };

type ContentsProps = { found: Properties; plan?: TrackingPlan; event: string; programs: boolean };

function Contents({ found, plan, event, programs }: ContentsProps) {
  const planned = own(plan?.events, event);
  const all = planned?.properties ?? {};
  const rows: Row[] = [
    ...found.properties.filter((p) => p.property !== "$verdict"),
    ...Object.keys(all)
      .filter((name) => !found.properties.some((p) => p.property === name))
      .map((property) => ({ property, kinds: [], count: 0, distinct: 0, examples: [], missing: true as const })),
  ];
  const columns: Column<Row>[] = [
    {
      key: "property",
      head: "Property",
      wide: true,
      sort: (p) => p.property,
      cell: (p) => (
        <>
          <span className="mono strong" title={p.property}>
            {nameText(p.property)}
          </span>
          {own(all, p.property)?.description && (
            <div className="under">{unturned(own(all, p.property)?.description ?? "")}</div>
          )}
          {/* No report shows a value of what is personal. */}
          <div className="under">
            {p.missing
              ? "planned, and none of these has it"
              : !plan
                ? // Until it is known what is personal, everything may be.
                  null
                : personalIn(plan, event, p.property)
                  ? "values are not shown"
                  : seenText(p)}
          </div>
          <div className="cramped">{plan && <InPlan property={p.property} plan={plan} event={event} />}</div>
        </>
      ),
    },
    {
      key: "plan",
      head: "Plan",
      roomy: true,
      sort: (p) => (own(all, p.property) ? 0 : 1),
      cell: (p) => plan && <InPlan property={p.property} plan={plan} event={event} />,
    },
    {
      key: "distinct",
      head: "Values",
      right: true,
      roomy: true,
      sort: (p) => p.distinct,
      cell: (p) => count(p.distinct),
    },
    {
      key: "share",
      head: "In",
      right: true,
      sort: (p) => p.count,
      cell: (p) => (
        <span title={`${count(p.count)} of ${count(found.looked_at)}`}>{shareText(p.count, found.looked_at)}</span>
      ),
    },
  ];
  return (
    <Section
      title="What is in it"
      about={`Of the newest ${plural(found.looked_at, "event")}${programs ? ", those of programs among them" : ""}${found.cut > 0 ? `; ${plural(found.cut, "more property", "more properties")} are not listed` : ""}. Properties of users begin with “user.”.`}
    >
      {rows.length === 0 ? (
        <p className="dim">They have no properties.</p>
      ) : (
        <DataTable
          label={`Properties of ${nameText(event)}`}
          columns={columns}
          rows={rows}
          id={(p) => p.property}
          order={{ key: "share", down: true }}
        />
      )}
    </Section>
  );
}

function InPlan({ property, plan, event }: { property: string; plan: TrackingPlan; event: string }) {
  const planned = own(plan.events, event);
  const one = own(planned?.properties, property);
  const personal = personalIn(plan, event, property) && <Badge tone="warn">personal</Badge>;
  if (one)
    return (
      <div className="said">
        <Link to="/plan" search={(old) => ({ env: old.env, event, property })}>
          {kindText(one)}
          {one.required && ", required"}
        </Link>{" "}
        {personal}
      </div>
    );
  if (!planned || property.includes(".") || reserved(property))
    return personal || <span className="dim nowrap">not judged</span>;
  return (
    <div className="said">
      <Badge tone="warn">not planned</Badge> {personal}
    </div>
  );
}

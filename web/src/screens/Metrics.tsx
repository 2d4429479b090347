//! Web: all metrics: the one definition that experiments, guards and charts share.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import type { JSX } from "react";

import { metrics } from "../api/queries";
import type { Metric, MetricView } from "../api/types";
import { plural } from "../lib/numbers";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";

/** What a metric measures, in words. */
export function measured(m: Metric): string {
  const only = (m.only ?? [])
    .map((f) => `${f.property} ${f.op.replaceAll("_", " ")} ${f.values.join(" or ")}`)
    .join(" and ");
  const where = only ? `, where ${only}` : "";
  if (m.measure.measure === "conversion") return `Share of users with a “${m.event}” event${where}`;
  if (m.measure.measure === "count") return `“${m.event}” events per user${where}`;
  return `Sum of “${m.measure.property}” over a user's “${m.event}” events${where}`;
}

const COLUMNS: Column<MetricView>[] = [
  {
    key: "name",
    head: "Metric",
    wide: true,
    sort: (v) => v.metric.name,
    cell: ({ metric: m }) => (
      <>
        <Link to="/metrics/$metric" params={{ metric: m.key }} className="key">
          {m.name}
        </Link>
        <div className="under">{measured(m)}</div>
      </>
    ),
  },
  {
    key: "better",
    head: "Better",
    sort: (v) => v.metric.better ?? "higher",
    cell: (v) => <Badge>{v.metric.better === "lower" ? "▼ lower" : "▲ higher"}</Badge>,
  },
  {
    key: "changed",
    head: "Changed",
    right: true,
    roomy: true,
    sort: (v) => v.changed,
    cell: (v) => (
      <>
        <When at={v.changed} />
        <div className="under nowrap">{v.changed_by.name}</div>
      </>
    ),
  },
];

export function MetricsScreen(): JSX.Element {
  const query = useQuery(metrics);
  const navigate = useNavigate({ from: "/metrics" });
  return (
    <Page
      title="Metrics"
      state={
        query.data
          ? `${plural(query.data.length, "metric")}. Experiments, guards and charts share one definition.`
          : undefined
      }
      actions={
        <Button component={Link} to="/metrics/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New metric
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) =>
          list.length === 0 ? (
            <Empty
              title="No metrics yet"
              why="A metric is a number per user, computed from events: whether they purchased, how often, for how much. Experiments are decided by one, guards watch one."
            >
              <Link to="/metrics/new">Define the first one</Link>
            </Empty>
          ) : (
            <DataTable
              label="Metrics"
              columns={COLUMNS}
              rows={list}
              id={(v) => v.metric.key}
              order={{ key: "name", down: false }}
              onOpen={(v) => void navigate({ to: "/metrics/$metric", params: { metric: v.metric.key } })}
            />
          )
        }
      </Loaded>
    </Page>
  );
}

//! Web: all experiments, those that run first.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, type JSX } from "react";

import { experiments } from "../api/queries";
import type { ExperimentView } from "../api/types";
import { plural } from "../lib/numbers";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { Stage, stageRank } from "./stage";

export function ExperimentsScreen(): JSX.Element {
  const { here } = useEnvironment();
  const navigate = useNavigate({ from: "/experiments" });
  const query = useQuery(experiments);
  const columns = useMemo<Column<ExperimentView>[]>(
    () => [
      {
        key: "name",
        head: "Experiment",
        wide: true,
        sort: (v) => v.experiment.name,
        cell: ({ experiment: e }) => (
          <>
            <Link to="/experiments/$experiment" params={{ experiment: e.key }} className="key">
              {e.name}
            </Link>
            <div className="under">{e.hypothesis || e.key}</div>
          </>
        ),
      },
      { key: "state", head: "State", sort: (v) => stageRank(v), cell: (v) => <Stage view={v} /> },
      {
        key: "flag",
        head: "Flag",
        roomy: true,
        sort: (v) => v.experiment.flag,
        cell: (v) => (
          <Link to="/flags/$flag" params={{ flag: v.experiment.flag }} className="nowrap">
            {v.experiment.flag}
          </Link>
        ),
      },
      {
        key: "environment",
        head: "Environment",
        roomy: true,
        sort: (v) => v.experiment.environment,
        cell: (v) => (
          <Badge tone={v.experiment.environment === here.key && here.production ? "production" : "plain"}>
            {v.experiment.environment}
          </Badge>
        ),
      },
      {
        key: "metric",
        head: "Metric",
        roomy: true,
        sort: (v) => v.experiment.plan.metric,
        cell: (v) => <span className="nowrap">{v.experiment.plan.metric}</span>,
      },
      {
        key: "changed",
        head: "Changed",
        right: true,
        roomy: true,
        sort: (v) => v.changed,
        cell: (v) => <When at={v.changed} />,
      },
    ],
    [here],
  );
  const running = query.data?.filter((v) => v.experiment.state.state === "running").length ?? 0;
  return (
    <Page
      title="Experiments"
      state={query.data ? `${plural(query.data.length, "experiment")}, ${running} running.` : undefined}
      actions={
        <Button component={Link} to="/experiments/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New experiment
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) =>
          list.length === 0 ? (
            <Empty
              title="No experiments yet"
              why="An experiment compares the variants of a flag by one metric, with a plan that is fixed before the data comes. It needs a flag whose default is a split, and a metric."
            >
              <Link to="/experiments/new">Plan the first one</Link>
            </Empty>
          ) : (
            <DataTable
              label="Experiments"
              columns={columns}
              rows={list}
              id={(v) => v.experiment.key}
              order={{ key: "state", down: false }}
              onOpen={(v) =>
                void navigate({ to: "/experiments/$experiment", params: { experiment: v.experiment.key } })
              }
            />
          )
        }
      </Loaded>
    </Page>
  );
}

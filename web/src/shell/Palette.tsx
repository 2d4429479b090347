//! Web: the command palette. Everything that has a page can be reached, and the things that one does
//! most can be begun, without a mouse.
import { Spotlight, type SpotlightActionGroupData } from "@mantine/spotlight";
import { IconFlag3, IconPlus, IconRuler2, IconScale, IconSearch, type Icon } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";

import { experiments, flags, metrics } from "../api/queries";
import { useEnvironment } from "./environment";
import { PLACES } from "./pages";

export function Palette() {
  const navigate = useNavigate();
  const { all, here } = useEnvironment();
  const known = {
    flags: useQuery(flags()).data,
    experiments: useQuery(experiments).data,
    metrics: useQuery(metrics).data,
  };
  const actions = useMemo<SpotlightActionGroupData[]>(() => {
    const icon = (Shape: Icon) => <Shape size={18} stroke={1.6} aria-hidden />;
    return [
      {
        group: "Do",
        actions: [
          {
            id: "new-flag",
            label: "New flag",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/flags/new" }),
          },
          {
            id: "new-experiment",
            label: "New experiment",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/experiments/new" }),
          },
          {
            id: "new-metric",
            label: "New metric",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/metrics/new" }),
          },
          ...all
            .filter((e) => e.key !== here.key)
            .map((e) => ({
              id: `env-${e.key}`,
              label: `Show ${e.name}`,
              description: e.production ? "serves customers" : "environment",
              onClick: () => void navigate({ to: ".", search: (old) => ({ ...old, env: e.key }) }),
            })),
        ],
      },
      {
        group: "Go to",
        actions: PLACES.map((p) => ({
          id: p.to,
          label: p.label,
          leftSection: icon(p.icon),
          onClick: () => void navigate({ to: p.to }),
        })),
      },
      {
        group: "Flags",
        actions: (known.flags ?? []).map(({ flag }) => ({
          id: `flag-${flag.key}`,
          label: flag.name || flag.key,
          description: flag.name && flag.name !== flag.key ? flag.key : "flag",
          keywords: [flag.key],
          leftSection: icon(IconFlag3),
          onClick: () => void navigate({ to: "/flags/$flag", params: { flag: flag.key } }),
        })),
      },
      {
        group: "Experiments",
        actions: (known.experiments ?? []).map(({ experiment: e }) => ({
          id: `experiment-${e.key}`,
          label: e.name || e.key,
          description: `experiment on ${e.flag}`,
          leftSection: icon(IconScale),
          onClick: () => void navigate({ to: "/experiments/$experiment", params: { experiment: e.key } }),
        })),
      },
      {
        group: "Metrics",
        actions: (known.metrics ?? []).map(({ metric }) => ({
          id: `metric-${metric.key}`,
          label: metric.name || metric.key,
          description: "metric",
          leftSection: icon(IconRuler2),
          onClick: () => void navigate({ to: "/metrics/$metric", params: { metric: metric.key } }),
        })),
      },
    ];
  }, [all, here.key, known.flags, known.experiments, known.metrics, navigate]);
  return (
    <Spotlight
      actions={actions}
      shortcut={["mod + K"]}
      limit={9}
      nothingFound="Nothing has that name"
      highlightQuery
      shadow="none"
      centered={false}
      overlayProps={{ backgroundOpacity: 0.4, blur: 0 }}
      attributes={{ content: { "aria-label": "Search or do" } }}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: "A flag, an experiment, a page",
        "aria-label": "Search or do",
      }}
    />
  );
}

//! Web: the command palette. Everything that has a page can be reached, and the things that one does
//! most can be begun, without a mouse.
import { Spotlight, type SpotlightActionGroupData } from "@mantine/spotlight";
import {
  IconFlag3,
  IconHandStop,
  IconKeyboard,
  IconLayoutColumns,
  IconListCheck,
  IconPlus,
  IconPower,
  IconRuler2,
  IconScale,
  IconSearch,
  IconStack2,
  IconTestPipe,
  IconUsersGroup,
  type Icon,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useRef } from "react";

import {
  betas,
  experiments,
  flag as flagQuery,
  flags,
  holdouts,
  layers,
  metrics,
  plan,
  proposals,
  segments,
} from "../api/queries";
import { useToggle } from "../screens/toggle";
import { useEnvironment } from "./environment";
import { useKeysHelp } from "./Keys";
import { useMay } from "./may";
import { PLACES } from "./pages";

export function Palette() {
  const navigate = useNavigate();
  const { all, here } = useEnvironment();
  const known = {
    flags: useQuery(flags()).data,
    experiments: useQuery(experiments).data,
    metrics: useQuery(metrics).data,
    segments: useQuery(segments()).data,
    layers: useQuery(layers()).data,
    holdouts: useQuery(holdouts()).data,
    betas: useQuery(betas()).data,
    plan: useQuery(plan).data,
    proposals: useQuery(proposals).data,
  };
  // The flag whose page is open, and its kill switch where it is on.
  const { flag: at } = useParams({ strict: false });
  const open = useQuery({ ...flagQuery(at ?? ""), enabled: at !== undefined }).data;
  const toggle = useToggle();
  const may = useMay("editor");
  const kill =
    at !== undefined && may.allowed && open && !open.flag.archived && open.flag.settings[here.key]?.on
      ? open
      : undefined;
  const off = useRef<() => void>(() => {});
  off.current = () => void (kill && toggle.ask(kill, here, true));
  const killed = kill?.flag.key;
  const help = useKeysHelp();
  const actions = useMemo<SpotlightActionGroupData[]>(() => {
    const icon = (Shape: Icon) => <Shape size={18} stroke={1.6} aria-hidden />;
    return [
      {
        group: "Do",
        actions: [
          ...(killed === undefined
            ? []
            : [
                {
                  id: "kill",
                  label: `Kill switch: turn ${killed} off in ${here.name}`,
                  description: "also by the key K",
                  keywords: ["off", "stop", "kill"],
                  leftSection: icon(IconPower),
                  // Once the palette has gone and given the focus back.
                  onClick: () => setTimeout(() => off.current(), 0),
                },
              ]),
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
          {
            id: "new-segment",
            label: "New segment",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/segments/new" }),
          },
          {
            id: "new-layer",
            label: "New layer",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/layers/new" }),
          },
          {
            id: "new-holdout",
            label: "New holdout",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/holdouts/new" }),
          },
          {
            id: "new-beta",
            label: "New beta",
            leftSection: icon(IconPlus),
            onClick: () => void navigate({ to: "/betas/new" }),
          },
          ...[
            {
              tab: "rules",
              label: "Rules of the tracking plan",
              keywords: ["naming", "convention", "review", "personal"],
            },
            { tab: "proposals", label: "Proposals for the tracking plan", keywords: ["review", "approve"] },
            {
              tab: "violations",
              label: "Violations of the tracking plan",
              keywords: ["invalid", "unplanned", "verdict"],
            },
            { tab: "quarantine", label: "Quarantine", keywords: ["kept apart", "release", "invalid"] },
          ].map(({ tab, label, keywords }) => ({
            id: `plan-${tab}`,
            label,
            keywords,
            leftSection: icon(IconListCheck),
            onClick: () => void navigate({ to: "/plan", search: (old: { env?: string }) => ({ env: old.env, tab }) }),
          })),
          {
            id: "live",
            label: "Live stream of events",
            keywords: ["latest", "debug"],
            leftSection: icon(IconStack2),
            onClick: () =>
              void navigate({ to: "/events", search: (old: { env?: string }) => ({ env: old.env, tab: "latest" }) }),
          },
          { id: "keys", label: "Keys", description: "also by ?", leftSection: icon(IconKeyboard), onClick: help },
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
        group: "Segments",
        actions: (known.segments ?? []).map(({ segment: s }) => ({
          id: `segment-${s.key}`,
          label: s.name || s.key,
          description: "segment",
          keywords: [s.key],
          leftSection: icon(IconUsersGroup),
          onClick: () => void navigate({ to: "/segments/$segment", params: { segment: s.key } }),
        })),
      },
      {
        group: "Layers",
        actions: (known.layers ?? []).map(({ layer: l }) => ({
          id: `layer-${l.key}`,
          label: l.name || l.key,
          description: "layer",
          keywords: [l.key],
          leftSection: icon(IconLayoutColumns),
          onClick: () => void navigate({ to: "/layers/$layer", params: { layer: l.key } }),
        })),
      },
      {
        group: "Holdouts",
        actions: (known.holdouts ?? []).map(({ holdout: h }) => ({
          id: `holdout-${h.key}`,
          label: h.name || h.key,
          description: "holdout",
          keywords: [h.key],
          leftSection: icon(IconHandStop),
          onClick: () => void navigate({ to: "/holdouts/$holdout", params: { holdout: h.key } }),
        })),
      },
      {
        group: "Betas",
        actions: (known.betas ?? []).map(({ beta: b }) => ({
          id: `beta-${b.key}`,
          label: b.name || b.key,
          description: "beta",
          keywords: [b.key],
          leftSection: icon(IconTestPipe),
          onClick: () => void navigate({ to: "/betas/$beta", params: { beta: b.key } }),
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
      {
        group: "Event types",
        actions: Object.entries(known.plan?.plan.events ?? {}).map(([name, { description }]) => ({
          id: `event-${name}`,
          label: name,
          description: description || "planned event type",
          leftSection: icon(IconListCheck),
          onClick: () =>
            void navigate({ to: "/plan", search: (old: { env?: string }) => ({ env: old.env, event: name }) }),
        })),
      },
      {
        group: "Proposals",
        actions: (known.proposals ?? [])
          .filter((p) => p.proposal.state.state === "open")
          .map(({ proposal: p }) => ({
            id: `proposal-${p.key}`,
            label: p.title || p.key,
            description: "proposal for the tracking plan",
            keywords: [p.key],
            leftSection: icon(IconListCheck),
            onClick: () => void navigate({ to: "/plan/proposals/$proposal", params: { proposal: p.key } }),
          })),
      },
    ];
  }, [
    all,
    here,
    help,
    killed,
    known.flags,
    known.segments,
    known.layers,
    known.holdouts,
    known.betas,
    known.experiments,
    known.metrics,
    known.plan,
    known.proposals,
    navigate,
  ]);
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

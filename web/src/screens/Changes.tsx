//! Web: everything that was changed, by whom and why.
import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { betas, experiments, flags, holdouts, layers, metrics, proposals, segments, type About } from "../api/queries";
import { ChangeLog } from "../parts/ChangeLog";
import { Page } from "../parts/Page";

export function ChangesScreen(): JSX.Element {
  const { before, env: _, ...about } = useSearch({ from: "/inside/changes" });
  const navigate = useNavigate({ from: "/changes" });
  const flagKeys = useQuery(flags(true)).data?.map((v) => v.flag.key);
  const known: [keyof About, string, string[] | undefined][] = [
    ["flag", "Flags", flagKeys],
    ["segment", "Segments", useQuery(segments(true)).data?.map((v) => v.segment.key)],
    ["layer", "Layers", useQuery(layers(true)).data?.map((v) => v.layer.key)],
    ["holdout", "Holdouts", useQuery(holdouts(true)).data?.map((v) => v.holdout.key)],
    ["beta", "Betas", useQuery(betas(true)).data?.map((v) => v.beta.key)],
    ["experiment", "Experiments", useQuery(experiments).data?.map((v) => v.experiment.key)],
    ["metric", "Metrics", useQuery(metrics).data?.map((v) => v.metric.key)],
    ["plan", "Tracking plan", ["the whole plan"]],
    ["proposal", "Proposals for the plan", useQuery(proposals).data?.map((v) => v.proposal.key)],
  ];
  const of = known.find(([kind]) => about[kind] !== undefined)?.[0];
  const chosen = of === "plan" ? "plan:the whole plan" : of ? `${of}:${about[of]}` : null;
  const choices = known
    .filter(([, , keys]) => keys && keys.length > 0)
    .map(([kind, group, keys]) => ({
      group,
      items: (keys ?? []).map((key) => ({ value: `${kind}:${key}`, label: key })),
    }));
  const pick = (value: string | null) => {
    const [kind, ...rest] = (value ?? "").split(":");
    void navigate({
      search: (old) => ({
        env: old.env,
        ...(kind === "plan" ? { plan: true } : kind ? { [kind]: rest.join(":") } : {}),
      }),
    });
  };
  return (
    <Page
      title="Changes"
      state="Who changed what, when and why. The log is only added to; guards, ramps and scheduled changes write to it like people do."
    >
      <div className="row" style={{ marginBottom: 16 }}>
        <Select
          aria-label="Only changes of"
          placeholder="Of everything"
          data={choices}
          value={chosen}
          onChange={pick}
          searchable
          clearable
          w={280}
          nothingFoundMessage="Nothing has that name"
          clearButtonProps={{ "aria-label": "Of everything" }}
        />
        {before && (
          <Button variant="default" onClick={() => void navigate({ search: (old) => ({ ...old, before: undefined }) })}>
            Newest changes
          </Button>
        )}
      </div>
      <ChangeLog about={of ? { [of]: about[of] } : {}} before={before ? Number(before) : undefined} />
    </Page>
  );
}

//! Web: everything that was changed, by whom and why.
import { Button, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { experiments, flags, metrics } from "../api/queries";
import { ChangeLog } from "../parts/ChangeLog";
import { Page } from "../parts/Page";

export function ChangesScreen(): JSX.Element {
  const { flag, experiment, metric, before } = useSearch({ from: "/inside/changes" });
  const navigate = useNavigate({ from: "/changes" });
  const known = {
    flag: useQuery(flags(true)).data,
    experiment: useQuery(experiments).data,
    metric: useQuery(metrics).data,
  };
  const chosen = flag ? `flag:${flag}` : experiment ? `experiment:${experiment}` : metric ? `metric:${metric}` : null;
  const choices = [
    { group: "Flags", items: (known.flag ?? []).map((v) => ({ value: `flag:${v.flag.key}`, label: v.flag.key })) },
    {
      group: "Experiments",
      items: (known.experiment ?? []).map((v) => ({
        value: `experiment:${v.experiment.key}`,
        label: v.experiment.key,
      })),
    },
    {
      group: "Metrics",
      items: (known.metric ?? []).map((v) => ({ value: `metric:${v.metric.key}`, label: v.metric.key })),
    },
  ];
  const pick = (value: string | null) => {
    const [kind, ...rest] = (value ?? "").split(":");
    void navigate({ search: (old) => ({ env: old.env, ...(kind ? { [kind]: rest.join(":") } : {}) }) });
  };
  return (
    <Page
      title="Changes"
      state="Who changed what, when and why. The log is only added to; guards write to it like people do."
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
      <ChangeLog about={{ flag, experiment, metric }} before={before ? Number(before) : undefined} />
    </Page>
  );
}

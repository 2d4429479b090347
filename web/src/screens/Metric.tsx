//! Web: one metric, to define it or to redefine it.
import { Autocomplete, Button, Group, SegmentedControl, Select, Stack, Text, TextInput, Textarea } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { catalogue, metrics, properties } from "../api/queries";
import type { MetricView } from "../api/types";
import type { Filter } from "../lib/search";
import { ChangeLog } from "../parts/ChangeLog";
import { Filters } from "../parts/Filters";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page } from "../parts/Page";
import { PropertyInput } from "../parts/PropertyInput";
import { Failed, Loaded } from "../parts/States";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { useUnsaved } from "../shell/Unsaved";
import { measured } from "./Metrics";
import { NoSuch } from "./Missing";

const TABS = [
  { key: "definition", label: "Definition" },
  { key: "changes", label: "Changes" },
];

export function MetricScreen(): JSX.Element {
  const { metric: key } = useParams({ strict: false });
  const { tab } = useSearch({ strict: false });
  const query = useQuery(metrics);
  if (key === undefined) {
    return (
      <Page
        title="New metric"
        above={{ label: "Metrics", to: "/metrics" }}
        state="A number per user, computed from events."
      >
        <Form />
      </Page>
    );
  }
  const found = query.data?.find((v) => v.metric.key === key);
  if (query.data && !found) return <NoSuch what="metric" name={key} />;
  return (
    <Page
      title={found?.metric.name ?? key}
      code={key}
      above={{ label: "Metrics", to: "/metrics" }}
      state={
        found
          ? `${measured(found.metric)}; ${found.metric.better === "lower" ? "lower" : "higher"} is better.`
          : undefined
      }
      tabs={{ all: TABS, open: tab === "changes" ? "changes" : "definition", label: `Views of ${key}` }}
    >
      {tab === "changes" ? (
        <ChangeLog about={{ metric: key }} />
      ) : (
        <Loaded query={query}>
          {(all) => {
            const view = all.find((v) => v.metric.key === key);
            return view ? <Form key={view.revision} view={view} /> : null;
          }}
        </Loaded>
      )}
    </Page>
  );
}

function Form({ view }: { view?: MetricView }) {
  const old = view?.metric;
  const { here } = useEnvironment();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const events = (useQuery(catalogue(here.key)).data?.events ?? []).map((e) => e.event);
  const [name, setName] = useState(old?.name ?? "");
  const [key, setKey] = useState(old?.key ?? "");
  const [description, setDescription] = useState(old?.description ?? "");
  const [event, setEvent] = useState(old?.event ?? "");
  const [measure, setMeasure] = useState<"conversion" | "count" | "sum">(old?.measure.measure ?? "conversion");
  const [property, setProperty] = useState(old?.measure.measure === "sum" ? old.measure.property : "");
  const [better, setBetter] = useState<"higher" | "lower">(old?.better ?? "higher");
  const [only, setOnly] = useState<Filter[]>(old?.only ?? []);
  const [why, setWhy] = useState("");
  const [error, setError] = useState<unknown>(null);
  const id = old?.key ?? (key || keyed(name));
  const [about] = useDebouncedValue(event.trim(), 300);
  const having = useQuery(properties(here.key, about)).data;
  useUnsaved(name !== (old?.name ?? "") || description !== (old?.description ?? "") || event !== (old?.event ?? ""));
  const save = async () => {
    setError(null);
    try {
      await edit.saveMetric(id, {
        name: name || id,
        description,
        event,
        only,
        better,
        measure: measure === "sum" ? { measure, property } : { measure },
        why: why || `defined ${id}`,
        if_revision: view?.revision,
      });
      await client.invalidateQueries();
      void navigate({ to: "/metrics/$metric", params: { metric: id }, ignoreBlocker: true });
    } catch (e) {
      setError(e);
    }
  };
  return (
    <form
      className="form"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <TextInput
        label="Name"
        required
        value={name}
        onChange={(e) => setName(e.currentTarget.value)}
        placeholder="Purchase within the session"
      />
      {!old && <KeyInput value={id} onChange={setKey} />}
      <Textarea
        label="What it means"
        description="And why it matters."
        autosize
        minRows={2}
        value={description}
        onChange={(e) => setDescription(e.currentTarget.value)}
      />
      <Autocomplete
        label="Event"
        description="The event type that it counts."
        required
        data={events}
        value={event}
        onChange={setEvent}
        placeholder="purchase"
      />
      <Filters label="Only events where" known={having} event={event} value={only} onChange={setOnly} />
      <Stack gap={4}>
        <Text size="sm" fw={500} id="measure">
          Per user
        </Text>
        <SegmentedControl
          aria-labelledby="measure"
          fullWidth
          value={measure}
          onChange={(v) => setMeasure(v as typeof measure)}
          data={[
            { value: "conversion", label: "Did it at all" },
            { value: "count", label: "How often" },
            { value: "sum", label: "Sum of a property" },
          ]}
        />
      </Stack>
      {measure === "sum" && (
        <PropertyInput
          label="Property"
          description="A number; events without one count as 0."
          known={having}
          event={event}
          required
          value={property}
          onChange={setProperty}
          placeholder="amount"
        />
      )}
      <Select
        label="Good is"
        allowDeselect={false}
        value={better}
        onChange={(v) => setBetter(v === "lower" ? "lower" : "higher")}
        data={[
          { value: "higher", label: "Higher" },
          { value: "lower", label: "Lower" },
        ]}
      />
      {old && (
        <Textarea
          label="Reason"
          required
          autosize
          minRows={2}
          value={why}
          onChange={(e) => setWhy(e.currentTarget.value)}
        />
      )}
      {error ? <Failed error={error} /> : null}
      <Group gap="xs">
        <Button type="submit" disabled={!may.allowed} title={may.allowed ? undefined : may.reason}>
          {old ? "Save" : "Create metric"}
        </Button>
      </Group>
    </form>
  );
}

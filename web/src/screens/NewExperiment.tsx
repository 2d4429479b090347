//! Web: a new experiment: a plan that is fixed before the data comes. Its arms are those of the
//! flag's split, so that what is counted is what is served.
import { Button, Group, NumberInput, Select, Textarea, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { flags, metrics } from "../api/queries";
import { sharesOf } from "../lib/serve";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page } from "../parts/Page";
import { Failed, Loaded } from "../parts/States";
import { Note, ShareBar } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { useUnsaved } from "../shell/Unsaved";

export function NewExperimentScreen(): JSX.Element {
  const { flag: wanted } = useSearch({ from: "/inside/experiments/new" });
  const { here } = useEnvironment();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const all = useQuery(flags());
  const known = useQuery(metrics).data ?? [];
  const [name, setName] = useState("");
  const [key, setKey] = useState<string | null>(null);
  const [hypothesis, setHypothesis] = useState("");
  const [flag, setFlag] = useState<string | null>(wanted ?? null);
  const [metric, setMetric] = useState<string | null>(null);
  const [control, setControl] = useState<string | null>(null);
  const [days, setDays] = useState(14);
  const [effect, setEffect] = useState<number | "">("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const id = key ?? keyed(name);
  const setting = all.data?.find((v) => v.flag.key === flag)?.flag.settings[here.key];
  const split = setting?.default.serve === "split" ? setting.default.split : null;
  const arms = split ? sharesOf(split).filter((s) => s.variant !== split.rest && s.share > 0) : [];
  const against =
    control && arms.some((a) => a.variant === control)
      ? control
      : (arms.find((a) => a.variant === setting?.off)?.variant ??
        arms.find((a) => a.variant === "control")?.variant ??
        arms[arms.length - 1]?.variant ??
        null);
  const conversion = known.find((m) => m.metric.key === metric)?.metric.measure.measure === "conversion";
  useUnsaved(name !== "" || hypothesis !== "");
  const create = async () => {
    if (!flag || !metric || !against) return;
    setBusy(true);
    setError(null);
    try {
      await edit.createExperiment({
        experiment: id,
        name: name || id,
        hypothesis,
        flag,
        environment: here.key,
        control: against,
        metric,
        days,
        effect: effect === "" ? null : conversion ? effect / 100 : effect,
        why: hypothesis || `planned ${id}`,
      });
      await client.invalidateQueries();
      await navigate({ to: "/experiments/$experiment", params: { experiment: id }, ignoreBlocker: true });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Page
      title="New experiment"
      above={{ label: "Experiments", to: "/experiments" }}
      state={`In ${here.name}. The plan is a draft until it starts; then it is fixed.`}
    >
      <Loaded query={all}>
        {(list) => (
          <form
            className="form"
            onSubmit={(e) => {
              e.preventDefault();
              void create();
            }}
          >
            <TextInput
              label="Name"
              required
              autoFocus
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
              placeholder="One-page checkout"
            />
            <KeyInput value={id} onChange={setKey} />
            <Textarea
              label="Hypothesis"
              description="What is believed, and what will be done if it is true."
              autosize
              minRows={2}
              value={hypothesis}
              onChange={(e) => setHypothesis(e.currentTarget.value)}
            />
            <Select
              label="Flag"
              required
              searchable
              data={list.map((v) => v.flag.key)}
              value={flag}
              onChange={setFlag}
              placeholder="Whose variants are compared"
              nothingFoundMessage="No flag has that name"
            />
            {flag && !split && (
              <Note tone="warn">
                <p className="strong">
                  {flag} does not split its default in {here.name}.
                </p>
                <p className="hint">
                  Make the default a split on{" "}
                  <Link to="/flags/$flag" params={{ flag }}>
                    its page
                  </Link>{" "}
                  first: the arms of the plan are its shares.
                </p>
              </Note>
            )}
            {split && (
              <ShareBar
                ranges={split.ranges}
                variants={arms.map((a) => a.variant).concat(split.rest ?? [])}
                rest={split.rest}
              />
            )}
            {arms.length > 0 && (
              <Select
                label="Control"
                description="What the others are compared with."
                data={arms.map((a) => a.variant)}
                value={against}
                allowDeselect={false}
                onChange={setControl}
              />
            )}
            <Select
              label="Metric that decides"
              required
              data={known.map((m) => ({ value: m.metric.key, label: m.metric.name }))}
              value={metric}
              onChange={setMetric}
              placeholder={known.length ? "One number" : "Define a metric first"}
            />
            <div className="fields">
              <NumberInput
                label="Runs for, days"
                description="The one look that counts is taken then."
                required
                min={1}
                max={365}
                value={days}
                onChange={(v) => setDays(Number(v) || 1)}
              />
              <NumberInput
                label={conversion ? "Effect worth finding, points" : "Effect worth finding"}
                description="An absolute difference; drawn beside the interval."
                min={0}
                value={effect}
                onChange={(v) => setEffect(v === "" ? "" : Number(v))}
              />
            </div>
            {error ? <Failed error={error} /> : null}
            <Group>
              <Button
                type="submit"
                loading={busy}
                disabled={!may.allowed || !split || !metric || !flag}
                title={may.allowed ? undefined : may.reason}
              >
                Create draft
              </Button>
            </Group>
          </form>
        )}
      </Loaded>
    </Page>
  );
}

//! Web: the environments: what people call them, whether they serve customers, and which bytes place a unit.
import { Button, Group, SegmentedControl, Switch, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";

import { edit } from "../../api/edits";
import { environment as environmentQuery, environments, experiments, flags } from "../../api/queries";
import type { Bucketing, Environment, EnvironmentView } from "../../api/types";
import { plural } from "../../lib/numbers";
import { splits } from "../../lib/serve";
import { useChange } from "../../parts/Change";
import { Newer, useDraft } from "../../parts/draft";
import { Section } from "../../parts/Page";
import { Failed, Loaded } from "../../parts/States";
import { Badge, Note } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { useRehearsal } from "../flag/rehearsal";
import { NowThen } from "../toggle";

const AGREE: Record<Bucketing, string> = {
  utf8: "Amplitude's SDKs and flagd's providers for Node, Go, Java and .NET",
  cbor: "flagd's providers for Python and Rust",
};

export function Environments() {
  const query = useQuery(environments);
  return (
    <Loaded query={query}>
      {(list) => (
        <>
          {list.map((e) => (
            <Section
              key={e.key}
              title={
                <>
                  {e.name} {e.name.toLowerCase() !== e.key && <span className="mono dim">{e.key}</span>}{" "}
                  {e.production && <Badge tone="production">production</Badge>}
                </>
              }
            >
              <One name={e.key} />
            </Section>
          ))}
        </>
      )}
    </Loaded>
  );
}

function One({ name }: { name: string }) {
  const query = useQuery(environmentQuery(name));
  return (
    <Loaded query={query} lines={4}>
      {(view) => <Form view={view} />}
    </Loaded>
  );
}

type Draft = Required<Pick<Environment, "name" | "production">> & { bucketing: Bucketing };

const draftOf = ({ environment: e }: EnvironmentView): Draft => ({
  name: e.name,
  production: e.production ?? false,
  bucketing: e.bucketing ?? "utf8",
});

/** A draft as it is read, and what of it stands under that. */
const marked = ({ name, production }: Draft) =>
  `“${name}”, ${production ? "production: changes ask for a reason" : "not production: changes need no reason"}`;
const placed = ({ bucketing }: Draft) => [`bucketing ${bucketing}: agrees with ${AGREE[bucketing]}`];

function Form({ view }: { view: EnvironmentView }) {
  const { environment } = view;
  const { key } = environment;
  const may = useMay("editor");
  const { change } = useChange();
  const client = useQueryClient();
  const { draft, from, old, changed, set, discard } = useDraft(view, draftOf);
  // Only what differs is sent, so that nobody else's change to the rest is undone.
  const parts = (was: Draft, to: Draft): Partial<Draft> =>
    Object.fromEntries(Object.entries(to).filter(([part, value]) => was[part as keyof Draft] !== value));
  const edited = parts(old, draft);
  const redraws = old.bucketing !== draft.bucketing;
  const refused = useRehearsal(["environment", key], edited, redraws, (d) =>
    edit.rehearseEnvironment(key, { ...d, why: "a rehearsal" }),
  );
  const save = async () => {
    const made = await change({
      title: `Change environment ${key}?`,
      confirm: redraws ? "Draw everybody anew" : "Save",
      danger: redraws,
      quick: !old.production && !draft.production && !redraws,
      why: old.production || draft.production || redraws ? "" : "changed in the page",
      moves: (
        <>
          <NowThen from={marked(old)} to={marked(draft)} fromMore={placed(old)} toMore={placed(draft)} />
          {redraws && <Redrawn environment={environment} />}
          {old.production && !draft.production && (
            <Note tone="warn">
              <p>Changes here will be made without a reason and without being asked for one.</p>
            </Note>
          )}
        </>
      ),
      run: (why) => edit.saveEnvironment(key, { ...edited, why, if_revision: from.revision }),
      undo: (because) => edit.saveEnvironment(key, { ...parts(draft, old), ...because }),
      done: `environment ${key} is changed`,
      shown: old,
      newest: async () => draftOf(await client.fetchQuery({ ...environmentQuery(key), staleTime: 0 })),
      discard,
    });
    if (made) discard();
  };
  return (
    <form
      className="form"
      aria-label={`Environment ${key}`}
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <TextInput label="Name" required value={draft.name} onChange={(e) => set({ name: e.currentTarget.value })} />
      <Switch
        withThumbIndicator={false}
        label="It serves customers (production)"
        description="Changes here are marked, and ask for the reason."
        checked={draft.production}
        onChange={(e) => set({ production: e.currentTarget.checked })}
      />
      <div>
        <p className="label" id={`bucketing-${key}`}>
          Bucketing: what is hashed to place somebody
        </p>
        <SegmentedControl
          aria-labelledby={`bucketing-${key}`}
          value={draft.bucketing}
          data={[
            { value: "utf8", label: "UTF-8" },
            { value: "cbor", label: "CBOR" },
          ]}
          onChange={(v) => set({ bucketing: v === "cbor" ? "cbor" : "utf8" })}
        />
        <p className="dim plain-p">
          Agrees on every user with {AGREE[draft.bucketing]}. Whoever asks the server gets its answer under either.
        </p>
      </div>
      {redraws && <Redrawn environment={environment} />}
      {refused && <Failed error={refused} />}
      <Newer from={from} view={view} />
      <Group gap="sm">
        <Button
          type="submit"
          variant="default"
          disabled={!may.allowed || !changed || draft.name.trim() === "" || refused !== undefined}
          title={may.allowed ? undefined : may.reason}
        >
          {old.production || draft.production || redraws ? "Review and save" : "Save"}
        </Button>
        {changed && (
          <Button variant="default" onClick={discard}>
            Discard
          </Button>
        )}
      </Group>
    </form>
  );
}

/** What another bucketing does: everybody is placed anew, in every split, layer and holdout. */
function Redrawn({ environment }: { environment: Environment }) {
  const split = (useQuery(flags()).data ?? []).filter(({ flag }) => {
    const setting = flag.settings[environment.key];
    return setting?.on && splits(setting);
  });
  const running = (useQuery(experiments).data ?? []).filter(
    ({ experiment: e }) => e.environment === environment.key && e.state.state === "running",
  );
  return (
    <Note tone="warn">
      <p className="strong">Everybody in {environment.name} is drawn anew</p>
      <p className="hint">
        In splits, rollouts, layers and holdouts people get the same shares as before, but other people.{" "}
        {split.length > 0
          ? `${plural(split.length, "flag that is on divides", "flags that are on divide")} people here: ${split.map((v) => v.flag.key).join(", ")}.`
          : "No flag that is on divides people here yet."}{" "}
        {running.length > 0 && (
          <b>
            {plural(running.length, "running experiment")} would mix two drawings:{" "}
            {running.map((v) => v.experiment.key).join(", ")}.
          </b>
        )}
      </p>
    </Note>
  );
}

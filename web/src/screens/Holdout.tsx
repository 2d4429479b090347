//! Web: one holdout: whom it keeps from what.
import {
  Autocomplete,
  Button,
  Group,
  MultiSelect,
  NumberInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { flags, holdout as holdoutQuery } from "../api/queries";
import type { Covers, HoldoutView, Unit } from "../api/types";
import { plural, share } from "../lib/numbers";
import { ago } from "../lib/time";
import { UNITS, unitOf } from "../lib/units";
import { Archive } from "../parts/Archive";
import { useChange } from "../parts/Change";
import { Newer, useDraft } from "../parts/draft";
import { ChangeLog } from "../parts/ChangeLog";
import { KeyInput, keyed } from "../parts/KeyInput";
import { Page, Section } from "../parts/Page";
import { absent, Loaded } from "../parts/States";
import { Badge } from "../parts/Words";
import { useMay } from "../shell/may";
import { coversText, HoldoutBar } from "./Holdouts";
import { NoSuch } from "./Missing";
import { NowThen } from "./toggle";

const TABS = [
  { key: "definition", label: "Definition" },
  { key: "changes", label: "Changes" },
];

export function NewHoldoutScreen(): JSX.Element {
  return (
    <Page
      title="New holdout"
      above={{ label: "Holdouts", to: "/holdouts" }}
      state="A share of the population that gets the off variant of every flag it covers, in every environment."
    >
      <Form />
    </Page>
  );
}

export function HoldoutScreen(): JSX.Element {
  const { holdout: key } = useParams({ from: "/inside/holdouts/$holdout" });
  const { tab } = useSearch({ from: "/inside/holdouts/$holdout" });
  const query = useQuery(holdoutQuery(key));
  const view = query.data;
  const open = tab === "changes" ? "changes" : "definition";
  if (absent(query)) return <NoSuch what="holdout" name={key} error={query.error} />;
  const name = view?.holdout.name || key;
  return (
    <Page
      name={name}
      title={
        <>
          {name} {view?.holdout.archived && <Badge tone="off">archived</Badge>}
        </>
      }
      code={key}
      above={{ label: "Holdouts", to: "/holdouts" }}
      state={
        view
          ? `${view.holdout.archived ? "Archived, so it holds nobody" : `Keeps ${share(view.holdout.share)} from ${coversText(view.holdout.covers)}`}. Changed ${ago(view.changed)} by ${view.changed_by.name}.`
          : undefined
      }
      tabs={{ all: TABS, open, label: `Views of ${key}` }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ holdout: key }} />
      ) : (
        <Loaded query={query}>
          {(v) => (
            <>
              <Form key={key} view={v} />
              <Section title={`Covers ${plural(v.flags.length, "flag")}`}>
                {v.flags.length === 0 ? (
                  <p className="dim">
                    {v.holdout.archived ? "An archived holdout covers none." : "There is none yet."}
                  </p>
                ) : (
                  <ul className="links" aria-label="Flags that it covers">
                    {v.flags.map((flag) => (
                      <li key={flag}>
                        <Link to="/flags/$flag" params={{ flag }}>
                          {flag}
                        </Link>
                      </li>
                    ))}
                  </ul>
                )}
              </Section>
              <Archive
                what="holdout"
                name={key}
                archived={Boolean(v.holdout.archived)}
                about="An archived holdout holds nobody: they get what everybody gets."
                run={(archived, because) => edit.archiveHoldout(key, { archived, ...because })}
              />
            </>
          )}
        </Loaded>
      )}
    </Page>
  );
}

type Draft = { name: string; unit: Unit; share: number; covers: Covers };

const NEW: Draft = { name: "", unit: "user", share: 500, covers: { covers: "everything" } };

function draftOf(view: HoldoutView | undefined): Draft {
  if (!view) return NEW;
  const { holdout: h } = view;
  return { name: h.name, unit: h.unit, share: h.share, covers: h.covers };
}

function said(draft: Draft): string {
  return `${share(draft.share)} of the population (by ${draft.unit}) is kept from ${coversText(draft.covers)}`;
}

function Form({ view }: { view?: HoldoutView }) {
  const { draft, from, old: was, changed, set, discard, keep } = useDraft(view, draftOf);
  const old = view && was;
  const { change } = useChange();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const all = (useQuery(flags()).data ?? []).map((v) => v.flag);
  const [key, setKey] = useState("");
  const id = view?.holdout.key ?? (key || keyed(draft.name));
  const { covers } = draft;
  const fault = !id
    ? "it has no name yet"
    : covers.covers === "team" && !covers.team
      ? "no team is named"
      : covers.covers === "flags" && covers.flags.length === 0
        ? "no flag is named"
        : null;
  const save = async () => {
    const made = await change({
      title: view ? `Change holdout ${id}?` : `Make holdout ${id}?`,
      confirm: view ? "Save" : "Create holdout",
      moves: (
        <>
          <NowThen from={old ? said(old) : "there is no such holdout"} to={said(draft)} />
          <p className="dim">
            {!old
              ? "Whoever is held changes to the off variant of the flags that are on, at once."
              : old.share < draft.share
                ? "Those who were held stay held, and more are."
                : old.share > draft.share
                  ? "Some who were held get what everybody gets from now on: what is compared with them loses them."
                  : ""}
          </p>
        </>
      ),
      run: (why) => edit.saveHoldout(id, { ...draft, name: draft.name || id, why, if_revision: from?.revision }),
      undo: old ? (because) => edit.saveHoldout(id, { ...old, ...because }) : undefined,
      done: `holdout ${id} is ${view ? "changed" : "made"}`,
      shown: old,
      newest: async () => draftOf(await client.fetchQuery({ ...holdoutQuery(id), staleTime: 0 })),
      discard,
      keep: async () => keep(await client.fetchQuery({ ...holdoutQuery(id), staleTime: 0 })),
    });
    if (made && view) discard();
    if (made && !view) void navigate({ to: "/holdouts/$holdout", params: { holdout: id }, ignoreBlocker: true });
  };
  return (
    <form
      className="form"
      aria-label="Definition"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <TextInput
        label="Name"
        required
        placeholder="Everything new, 2026"
        value={draft.name}
        onChange={(e) => set({ name: e.currentTarget.value })}
      />
      {!view && <KeyInput value={id} onChange={setKey} />}
      <Stack gap={4}>
        <Text size="sm" fw={500} id="covers">
          It keeps people from
        </Text>
        <SegmentedControl
          aria-labelledby="covers"
          value={covers.covers}
          data={[
            { value: "everything", label: "Every flag" },
            { value: "team", label: "A team's flags" },
            { value: "flags", label: "Some flags" },
          ]}
          onChange={(to) =>
            set({
              covers:
                to === "team"
                  ? { covers: "team", team: "" }
                  : to === "flags"
                    ? { covers: "flags", flags: [] }
                    : { covers: "everything" },
            })
          }
        />
      </Stack>
      {covers.covers === "team" && (
        <Autocomplete
          label="Team"
          required
          data={[...new Set(all.flatMap((f) => f.team ?? []))]}
          value={covers.team}
          onChange={(team) => set({ covers: { covers: "team", team } })}
        />
      )}
      {covers.covers === "flags" && (
        <MultiSelect
          label="Flags"
          searchable
          data={[...new Set([...all.filter((f) => !f.archived).map((f) => f.key), ...covers.flags])]}
          value={covers.flags}
          onChange={(list) => set({ covers: { covers: "flags", flags: [...list].sort() } })}
        />
      )}
      <Group align="flex-start">
        <NumberInput
          label="Share that is held"
          suffix="%"
          w={200}
          min={0}
          max={100}
          decimalScale={2}
          value={draft.share / 100}
          onChange={(v) => set({ share: Math.min(10_000, Math.max(0, Math.round((Number(v) || 0) * 100))) })}
        />
        <Select
          label="It divides by"
          w={280}
          value={draft.unit}
          allowDeselect={false}
          data={UNITS}
          onChange={(v) => set({ unit: unitOf(v) })}
        />
      </Group>
      <HoldoutBar name={id || "new"} held={draft.share} />
      <Newer from={from} view={view} />
      <Group gap="sm" mb="lg">
        <Button
          type="submit"
          disabled={!may.allowed || !changed || fault !== null}
          title={may.allowed ? undefined : may.reason}
        >
          {view ? "Review and save" : "Create holdout"}
        </Button>
        {changed && fault && draft.name && <span className="dim">Cannot be saved yet: {fault}</span>}
      </Group>
    </form>
  );
}

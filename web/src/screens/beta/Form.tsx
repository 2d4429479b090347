//! Web: the definition of a beta, as a form: what its audience gets of each flag, and who is in the audience. The
//! server checks it while one writes.
import { ActionIcon, Button, Group, Select, Text, Textarea, TextInput } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import { beta as betaQuery, betas, flags, properties, segments } from "../../api/queries";
import type { BetaView, Condition, Flag } from "../../api/types";
import { attributesOf } from "../../lib/attributes";
import { isOn, servesText } from "../../lib/beta";
import { atItsPlace, groupsText, incomplete, placeOf } from "../../lib/conditions";
import { diff } from "../../lib/diff";
import { capital } from "../../lib/spoken";
import { useChange } from "../../parts/Change";
import { Conditions } from "../../parts/Conditions";
import { Newer, useDraft } from "../../parts/draft";
import { KeyInput, keyed } from "../../parts/KeyInput";
import { Failed } from "../../parts/States";
import { Diff } from "../../parts/Words";
import { useEnvironment } from "../../shell/environment";
import { useMay } from "../../shell/may";
import { useRehearsal } from "../flag/rehearsal";
import { NowThen } from "../toggle";

type Row = { flag: string; variant: string };
type Draft = { name: string; description: string; flags: Row[]; audience: Condition[][] };

function draftOf(view: BetaView | undefined): Draft {
  if (!view) return NEW;
  const { beta } = view;
  return {
    name: beta.name,
    description: beta.description ?? "",
    flags: Object.entries(beta.flags).map(([flag, variant]) => ({ flag, variant })),
    audience: beta.audience,
  };
}

const NEW: Draft = {
  name: "",
  description: "",
  flags: [{ flag: "", variant: "" }],
  audience: [[{ attribute: "", op: "is", values: [] }]],
};

/** A draft as the API takes it. */
function asEdit({ flags: rows, ...rest }: Draft, id: string) {
  return { ...rest, name: rest.name || id, flags: Object.fromEntries(rows.map((r) => [r.flag, r.variant])) };
}

/** The first thing that keeps a draft from being saved, as the end of a sentence. */
function wrong(draft: Draft, id: string): string | null {
  if (!id) return "it has no name yet";
  if (draft.flags.length === 0) return "it has no flags";
  const lacking = draft.flags.find((r) => !r.flag || !r.variant);
  if (lacking) return lacking.flag ? `no variant of ${lacking.flag} is named` : "a flag is not named";
  return draft.audience.length === 0 ? "it has no audience" : incomplete(draft.audience, "the audience");
}

export function BetaForm({ view }: { view?: BetaView }) {
  const { all, here } = useEnvironment();
  const { change } = useChange();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const { draft, from, old: was, changed, set, discard, keep } = useDraft(view, draftOf);
  const old = view && was;
  const [key, setKey] = useState("");
  const known = attributesOf(useQuery(properties(here.key, "_any")).data);
  const named = (useQuery(segments()).data ?? []).map((v) => v.segment.key);
  const id = view?.beta.key ?? (key || keyed(draft.name));
  const fault = wrong(draft, id);
  const refused = useRehearsal(["beta", id], asEdit(draft, id), changed && fault === null, (d) =>
    edit.rehearseBeta(id, { ...d, why: "a rehearsal" }),
  );
  const place = refused && placeOf(refused.message, () => draft.audience);
  const tested =
    place?.attribute !== undefined &&
    draft.audience.flat().some((c) => "attribute" in c && c.attribute === place.attribute);
  const serving = view ? all.filter((e) => isOn(view, e.key)) : [];
  const save = async () => {
    const made = await change({
      title: view ? `Change beta ${id}?` : `Make beta ${id}?`,
      confirm: view ? "Save" : "Create beta",
      moves: (
        <>
          <NowThen
            from={old ? groupsText(old.audience) : "there is no such beta"}
            to={groupsText(draft.audience)}
            fromMore={view ? [servesText(view)] : []}
            toMore={[servesText({ beta: { flags: asEdit(draft, id).flags } as BetaView["beta"] })]}
          />
          <p className="dim">
            {serving.length > 0
              ? `It is on in ${serving.map((e) => e.name).join(", ")}: what its audience gets changes at once.`
              : "It is off everywhere, so nobody is moved."}
          </p>
          {old && (
            <details>
              <summary>Exact difference</summary>
              <Diff label="What changes" lines={diff(old, draft)} />
            </details>
          )}
        </>
      ),
      run: (why) => edit.saveBeta(id, { ...asEdit(draft, id), why, if_revision: from?.revision }),
      undo: old ? (because) => edit.saveBeta(id, { ...asEdit(old, id), ...because }) : undefined,
      done: `beta ${id} is ${view ? "changed" : "made"}`,
      shown: old,
      newest: async () => draftOf(await client.fetchQuery({ ...betaQuery(id), staleTime: 0 })),
      discard,
      keep: async () => keep(await client.fetchQuery({ ...betaQuery(id), staleTime: 0 })),
    });
    if (made && view) discard();
    if (made && !view) void navigate({ to: "/betas/$beta", params: { beta: id }, ignoreBlocker: true });
  };
  return (
    <form
      className="form wide"
      aria-label="Definition"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <TextInput
        label="Name"
        required
        placeholder="Spring preview"
        value={draft.name}
        onChange={(e) => set({ name: e.currentTarget.value })}
      />
      {!view && <KeyInput value={id} onChange={setKey} />}
      <Textarea
        label="Description"
        autosize
        minRows={2}
        value={draft.description}
        onChange={(e) => set({ description: e.currentTarget.value })}
      />
      <FlagRows rows={draft.flags} own={id} onChange={(rows) => set({ flags: rows })} />
      <div>
        <Text size="sm" fw={500} mb={8}>
          For whoever matches
        </Text>
        <Conditions
          of="the audience"
          groups={draft.audience}
          known={known}
          segments={named}
          fault={
            tested && refused && place?.attribute
              ? { attribute: place.attribute, said: capital(atItsPlace(refused.message)) }
              : undefined
          }
          onChange={(audience) => set({ audience })}
        />
      </div>
      {refused && !tested ? <Failed error={refused} /> : null}
      <Newer from={from} view={view} />
      <Group gap="sm" mb="lg">
        <Button
          type="submit"
          disabled={!may.allowed || !changed || fault !== null || refused !== undefined}
          title={may.allowed ? undefined : may.reason}
        >
          {view ? "Review and save" : "Create beta"}
        </Button>
        {changed && fault && <span className="dim">Cannot be saved yet: {fault}</span>}
      </Group>
    </form>
  );
}

/** What the audience gets of each flag. A flag is in one beta at most. */
function FlagRows({ rows, own, onChange }: { rows: Row[]; own: string; onChange: (rows: Row[]) => void }) {
  const all = (useQuery(flags()).data ?? []).map((v) => v.flag);
  const elsewhere = new Map(
    (useQuery(betas()).data ?? [])
      .filter((v) => v.beta.key !== own)
      .flatMap((v) => Object.keys(v.beta.flags).map((flag): [string, string] => [flag, v.beta.name || v.beta.key])),
  );
  const of = (key: string): Flag | undefined => all.find((f) => f.key === key);
  const set = (i: number, row: Row) => onChange(rows.map((r, j) => (j === i ? row : r)));
  return (
    <div role="group" aria-label="Flags">
      <Text size="sm" fw={500} mb={8}>
        Gets of these flags
      </Text>
      <ul className="plain beta-flags">
        {rows.map((row, i) => {
          const variants = of(row.flag)?.variants.map((v) => v.key) ?? (row.variant ? [row.variant] : []);
          const taken = new Set(rows.flatMap((r, j) => (j === i ? [] : [r.flag])));
          const offered = all.filter((f) => !taken.has(f.key));
          return (
            <li key={i} className="beta-flag">
              <Select
                aria-label={`Flag ${i + 1}`}
                placeholder="Which flag"
                searchable
                allowDeselect={false}
                nothingFoundMessage="No flag has that key"
                data={[
                  ...offered.map((f) => ({
                    value: f.key,
                    label: elsewhere.has(f.key) ? `${f.key} (in ${elsewhere.get(f.key)})` : f.key,
                    disabled: elsewhere.has(f.key),
                  })),
                  ...(row.flag && !of(row.flag) ? [row.flag] : []),
                ]}
                value={row.flag || null}
                onChange={(flag) => {
                  const chosen = of(flag ?? "");
                  // Of most flags the audience gets what is new.
                  const first = chosen?.variants.find((v) => v.key !== chosen.settings["production"]?.off);
                  set(i, { flag: flag ?? row.flag, variant: (first ?? chosen?.variants[0])?.key ?? "" });
                }}
              />
              <Select
                aria-label={`Variant of flag ${i + 1}`}
                placeholder="Which variant"
                allowDeselect={false}
                data={variants}
                value={row.variant || null}
                onChange={(variant) => set(i, { ...row, variant: variant ?? row.variant })}
              />
              <ActionIcon
                variant="subtle"
                color="gray"
                size={32}
                disabled={rows.length <= 1}
                aria-label={`Remove flag ${i + 1}`}
                onClick={() => onChange(rows.filter((_, j) => j !== i))}
              >
                <IconX size={16} aria-hidden />
              </ActionIcon>
            </li>
          );
        })}
      </ul>
      <Group gap={4}>
        <Button
          size="compact-sm"
          variant="subtle"
          leftSection={<IconPlus size={14} aria-hidden />}
          onClick={() => onChange([...rows, { flag: "", variant: "" }])}
        >
          Add a flag
        </Button>
      </Group>
    </div>
  );
}

//! Web: the definition of a segment, as a form. The server checks it while one writes.
import { Button, Group, Select, Text, Textarea, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import { properties, segment as segmentQuery } from "../../api/queries";
import type { Clause, SegmentView, Unit } from "../../api/types";
import { attributesOf } from "../../lib/attributes";
import { atItsPlace, groupsText, incomplete, placeOf } from "../../lib/conditions";
import { diff } from "../../lib/diff";
import { plural } from "../../lib/numbers";
import { flagsOf } from "../../lib/segments";
import { capital } from "../../lib/spoken";
import { UNITS, unitOf } from "../../lib/units";
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

type Draft = { name: string; description: string; unit: Unit; when: Clause[][] };

function draftOf(view: SegmentView | undefined): Draft {
  if (!view) return NEW;
  const { segment: s } = view;
  return { name: s.name, description: s.description ?? "", unit: s.unit, when: s.when ?? [] };
}

const NEW: Draft = { name: "", description: "", unit: "user", when: [[{ attribute: "", op: "is", values: [] }]] };

export function SegmentForm({ view }: { view?: SegmentView }) {
  const { here } = useEnvironment();
  const { change } = useChange();
  const navigate = useNavigate();
  const client = useQueryClient();
  const may = useMay("editor");
  const { draft, from, old: was, changed, set, discard, keep } = useDraft(view, draftOf);
  const old = view && was;
  const [key, setKey] = useState("");
  const known = attributesOf(useQuery(properties(here.key, "_any")).data);
  const id = view?.segment.key ?? (key || keyed(draft.name));
  const fault = incomplete(draft.when, "the definition") ?? (id ? null : "it has no name yet");
  const refused = useRehearsal(["segment", id], { ...draft, name: draft.name || id }, changed && fault === null, (d) =>
    edit.rehearseSegment(id, { ...d, why: "a rehearsal" }),
  );
  const place = refused && placeOf(refused.message, () => draft.when);
  const tested = place?.attribute !== undefined && draft.when.flat().some((c) => c.attribute === place.attribute);
  const save = async () => {
    const made = await change({
      title: view ? `Change segment ${id}?` : `Make segment ${id}?`,
      confirm: view ? "Save" : "Create segment",
      why: "",
      moves: old && view && (
        <>
          <NowThen
            from={groupsText(old.when) || "nobody by condition"}
            to={groupsText(draft.when) || "nobody by condition"}
          />
          <p className="dim">
            {view.used_by.length > 0
              ? `It holds at once for the rules of ${plural(flagsOf(view).length, "flag")}: ${flagsOf(view).join(", ")}.`
              : "No flag asks for it yet, so nobody is moved."}
          </p>
          <details>
            <summary>Exact difference</summary>
            <Diff label="What changes" lines={diff(old, draft)} />
          </details>
        </>
      ),
      run: (why) => edit.saveSegment(id, { ...draft, name: draft.name || id, why, if_revision: from?.revision }),
      undo: old ? (because) => edit.saveSegment(id, { ...old, ...because }) : undefined,
      done: `segment ${id} is ${view ? "changed" : "made"}`,
      shown: old,
      newest: async () => draftOf(await client.fetchQuery({ ...segmentQuery(id), staleTime: 0 })),
      discard,
      keep: async () => keep(await client.fetchQuery({ ...segmentQuery(id), staleTime: 0 })),
    });
    if (made && view) discard();
    if (made && !view) void navigate({ to: "/segments/$segment", params: { segment: id }, ignoreBlocker: true });
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
        placeholder="Beta testers"
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
      <div>
        <Text size="sm" fw={500} mb={8}>
          Whoever matches
        </Text>
        <Conditions
          of="the definition"
          groups={draft.when}
          known={known}
          segments={null}
          fault={
            tested && refused && place?.attribute
              ? { attribute: place.attribute, said: capital(atItsPlace(refused.message)) }
              : undefined
          }
          onChange={(when) => set({ when: when as Clause[][] })}
        />
        {draft.when.length === 0 && <p className="dim">Without a condition only those on the list are in it.</p>}
      </div>
      <Select
        label="The lists hold ids of"
        value={draft.unit}
        allowDeselect={false}
        data={UNITS}
        maw={320}
        onChange={(v) => set({ unit: unitOf(v) })}
      />
      {refused && !tested ? <Failed error={refused} /> : null}
      <Newer from={from} view={view} />
      <Group gap="sm" mb="lg">
        <Button
          type="submit"
          disabled={!may.allowed || !changed || fault !== null || refused !== undefined}
          title={may.allowed ? undefined : may.reason}
        >
          {view ? "Review and save" : "Create segment"}
        </Button>
        {changed && fault && <span className="dim">Cannot be saved yet: {fault}</span>}
      </Group>
    </form>
  );
}

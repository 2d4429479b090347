//! Web: who gets what: prerequisites, single ids, holdouts, layer, rules in order, the default. Read as sentences,
//! edited as a form beside what the edit would do, saved as one change that shows its difference first.
import { Button, Title } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { edit } from "../../api/edits";
import { flag as flagQuery } from "../../api/queries";
import type { Environment, FlagView, Setting } from "../../api/types";
import { diff } from "../../lib/diff";
import { previewText } from "../../lib/preview";
import { draftOf, draftText, linesOf, wrong, type Draft } from "../../lib/serve";
import { useChange } from "../../parts/Change";
import { rebased } from "../../parts/draft";
import { Bones } from "../../parts/States";
import { Diff } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { useUnsaved } from "../../shell/Unsaved";
import { useAround } from "../around";
import { NowThen } from "../toggle";
import { Preview, usePreview } from "./Preview";
import { Reading } from "./Reading";
import { useRehearsal } from "./rehearsal";
import { TargetingForm } from "./TargetingForm";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function TargetingTab({ view, setting, here }: Props) {
  // What is edited is what was shown when editing began: a newer revision is then refused as stale.
  const [editing, setEditing] = useState<{ draft: Draft; from: FlagView } | null>(null);
  const may = useMay("editor");
  if (editing) return <Editing {...{ view, setting, here, editing, setEditing }} />;
  return (
    <>
      <div className="row" style={{ marginBottom: 12 }}>
        <Title order={2} className="grow">
          Who gets what in {here.name}
        </Title>
        <Button
          variant="default"
          leftSection={<IconPencil size={15} aria-hidden />}
          disabled={!may.allowed || view.flag.archived}
          title={
            !may.allowed ? may.reason : view.flag.archived ? "It is archived: restore it under Settings" : undefined
          }
          onClick={() => setEditing({ draft: draftOf(view, setting), from: view })}
        >
          Edit targeting
        </Button>
      </div>
      <Reading view={view} setting={setting} here={here} />
    </>
  );
}

type EditingProps = Props & {
  editing: { draft: Draft; from: FlagView };
  setEditing: (editing: { draft: Draft; from: FlagView } | null) => void;
};

function Editing({ view, setting, here, editing, setEditing }: EditingProps) {
  const { change } = useChange();
  const client = useQueryClient();
  const key = view.flag.key;
  const before = editing.from.flag.settings[here.key];
  const old = before ? draftOf(editing.from, before) : undefined;
  const changed = JSON.stringify(old) !== JSON.stringify(editing.draft);
  useUnsaved(changed);
  const fault = wrong(editing.draft);
  const asked = { flag: key, environment: here.key, draft: editing.draft, enabled: fault === null, off: !setting.on };
  const refused = useRehearsal(["flag", key, here.key], editing.draft, changed && fault === null, (draft) =>
    edit.rehearseTarget(key, { environment: here.key, ...draft, why: "a rehearsal" }),
  );
  const preview = usePreview(asked);
  const newest = async () => {
    const fresh = await client.fetchQuery({ ...flagQuery(key), staleTime: 0 });
    const now = fresh.flag.settings[here.key];
    return { fresh, now: now && draftOf(fresh, now) };
  };
  const save = async () => {
    const made = await change({
      title: `Change who gets what of ${key} in ${here.name}?`,
      confirm: "Save",
      quick: !here.production,
      why: here.production ? "" : "changed in the page",
      moves: before && old && (
        <Review
          was={before}
          view={view}
          here={here}
          old={old}
          draft={editing.draft}
          preview={previewText(preview.data, !setting.on)}
        />
      ),
      run: async (why) => {
        const save = (if_revision: number) =>
          edit.target(key, { environment: here.key, ...editing.draft, why, if_revision });
        try {
          return await save(editing.from.revision);
        } catch (error) {
          if (!(error instanceof ApiError) || error.code !== "stale") throw error;
          // A flag has one revision: of what is edited here nothing may be new, such as after a switch.
          const { fresh, now } = await newest();
          if (JSON.stringify(now) !== JSON.stringify(old)) throw error;
          return save(fresh.revision);
        }
      },
      undo: old ? (because) => edit.target(key, { environment: here.key, ...old, ...because }) : undefined,
      done: `${key} has new targeting in ${here.name}`,
      shown: old,
      newest: async () => (await newest()).now,
      discard: () => setEditing(null),
      keep: async () => {
        const { fresh, now } = await newest();
        if (old && now) setEditing({ from: fresh, draft: rebased(old, editing.draft, now) });
      },
    });
    if (made) setEditing(null);
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
      aria-label="Targeting"
    >
      <div className="beside-form">
        <div>
          <TargetingForm
            flag={view.flag}
            environment={here.key}
            draft={editing.draft}
            rollout={setting.default.serve === "rollout"}
            refused={refused}
            onChange={(draft) => setEditing({ ...editing, draft })}
          />
        </div>
        <Preview
          query={preview}
          changed={changed}
          off={!setting.on}
          fault={fault}
          variants={view.flag.variants.map((v) => v.key)}
        />
      </div>
      <div className="unsaved">
        <span className="grow dim" id="unsaved" role="status">
          {!changed ? (
            "Nothing changed yet"
          ) : fault ? (
            <b>Cannot be saved yet: {fault}</b>
          ) : refused ? (
            <b>Cannot be saved: the server refuses it</b>
          ) : (
            `Not saved yet. ${previewText(preview.data, !setting.on) ?? ""}`
          )}
        </span>
        <Button variant="default" onClick={() => setEditing(null)}>
          Discard
        </Button>
        <Button type="submit" disabled={!changed || fault !== null || refused !== undefined} aria-describedby="unsaved">
          {here.production ? "Review and save" : "Save"}
        </Button>
      </div>
    </form>
  );
}

type ReviewProps = { was: Setting; view: FlagView; here: Environment; old: Draft; draft: Draft; preview?: string };

/** What saving changes: in sentences, and to the letter for who wants it. */
function Review({ was, view, here, old, draft, preview }: ReviewProps) {
  const around = useAround()(view, here.key);
  const [before, after] = [linesOf(old), linesOf(draft)];
  const gone = before.filter((line) => !after.includes(line));
  const come = after.filter((line) => !before.includes(line));
  return (
    <>
      {!was.on && <p style={{ marginTop: 0 }}>The flag is off, so nobody is moved. While it is on:</p>}
      {around ? (
        <NowThen from={draftText(old, was, around)} to={draftText(draft, was, around)} fromMore={gone} toMore={come} />
      ) : (
        <Bones lines={2} />
      )}
      {preview && <p className="dim">{preview}</p>}
      <details>
        <summary>Exact difference</summary>
        <Diff label="What changes" lines={diff(old, draft)} />
      </details>
    </>
  );
}

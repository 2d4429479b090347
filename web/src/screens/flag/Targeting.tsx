//! Web: who gets what: single ids, rules in order, the default. Read as sentences, edited as a form,
//! saved as one change that shows its difference first.
import { Button, Title } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { edit } from "../../api/edits";
import { flag as flagQuery } from "../../api/queries";
import type { Environment, FlagView, Serve, Setting } from "../../api/types";
import { diff } from "../../lib/diff";
import { plural, share } from "../../lib/numbers";
import { clauseText, draftOf, draftText, linesOf, serveText, wrong, type Draft } from "../../lib/serve";
import { useChange } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { Badge, Diff, ShareBar } from "../../parts/Words";
import { useMay } from "../../shell/may";
import { NowThen } from "../toggle";
import { TargetingForm } from "./TargetingForm";

type Props = { view: FlagView; setting: Setting; here: Environment };

export function TargetingTab({ view, setting, here }: Props) {
  // What is edited is what was shown when editing began: a newer revision is then refused as stale.
  const [editing, setEditing] = useState<{ draft: Draft; from: FlagView } | null>(null);
  const { change } = useChange();
  const client = useQueryClient();
  const may = useMay("editor");
  const key = view.flag.key;
  if (!editing) {
    return (
      <>
        <div className="row" style={{ marginBottom: 12 }}>
          <Title order={2} className="grow">
            Who gets what in {here.name}
          </Title>
          <Button
            variant="default"
            leftSection={<IconPencil size={15} aria-hidden />}
            disabled={!may.allowed}
            title={may.allowed ? undefined : may.reason}
            onClick={() => setEditing({ draft: draftOf(view, setting), from: view })}
          >
            Edit targeting
          </Button>
        </div>
        <Reading view={view} setting={setting} />
      </>
    );
  }
  const before = editing.from.flag.settings[here.key];
  const old = before ? draftOf(editing.from, before) : undefined;
  const changed = JSON.stringify(old) !== JSON.stringify(editing.draft);
  const fault = wrong(editing.draft);
  const save = async () => {
    const made = await change({
      title: `Change who gets what of ${key} in ${here.name}?`,
      confirm: "Save",
      quick: !here.production,
      why: here.production ? "" : "changed in the page",
      moves: before && old && <Review was={before} old={old} draft={editing.draft} />,
      run: (why) =>
        edit.target(key, { environment: here.key, ...editing.draft, why, if_revision: editing.from.revision }),
      undo: old ? (why) => edit.target(key, { environment: here.key, ...old, why }) : undefined,
      done: `${key} has new targeting in ${here.name}`,
      shown: old,
      newest: async () => {
        const fresh = await client.fetchQuery({ ...flagQuery(key), staleTime: 0 });
        const now = fresh.flag.settings[here.key];
        return now ? draftOf(fresh, now) : undefined;
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
      <TargetingForm
        flag={view.flag}
        draft={editing.draft}
        rollout={setting.default.serve === "rollout"}
        onChange={(draft) => setEditing({ ...editing, draft })}
      />
      <div className="unsaved">
        <span className="grow dim" id="unsaved" role="status">
          {!changed ? "Nothing changed yet" : fault ? <b>Cannot be saved yet: {fault}</b> : "Not saved yet"}
        </span>
        <Button variant="default" onClick={() => setEditing(null)}>
          Discard
        </Button>
        <Button type="submit" disabled={!changed || fault !== null} aria-describedby="unsaved">
          {here.production ? "Review and save" : "Save"}
        </Button>
      </div>
    </form>
  );
}

/** What saving changes: in sentences, and to the letter for who wants it. */
function Review({ was, old, draft }: { was: Setting; old: Draft; draft: Draft }) {
  const [before, after] = [linesOf(old), linesOf(draft)];
  const gone = before.filter((line) => !after.includes(line));
  const come = after.filter((line) => !before.includes(line));
  return (
    <>
      {!was.on && <p style={{ marginTop: 0 }}>The flag is off, so nobody is moved. While it is on:</p>}
      <NowThen from={draftText(old, was)} to={draftText(draft, was)} fromMore={gone} toMore={come} />
      <details>
        <summary>Exact difference</summary>
        <Diff label="What changes" lines={diff(old, draft)} />
      </details>
    </>
  );
}

function Reading({ view, setting }: Omit<Props, "here">) {
  const variants = view.flag.variants.map((v) => v.key);
  const draft = draftOf(view, setting);
  return (
    <>
      {!setting.on && (
        <p style={{ marginTop: 0 }}>
          The flag is off: everybody gets <b>{setting.off}</b>. While it is on:
        </p>
      )}
      <ol className="order" aria-label="In this order">
        {draft.targets.map((t, i) => (
          <li key={`t${i}`}>
            <div className="grow">
              {plural(t.ids.length, "single id")} {t.ids.length === 1 ? "gets" : "get"}{" "}
              <Badge tone="accent">{t.variant}</Badge>
            </div>
            <div className="under mono">
              {t.ids.slice(0, 12).join(", ")}
              {t.ids.length > 12 ? ` and ${t.ids.length - 12} more` : ""}
            </div>
          </li>
        ))}
        {draft.rules.map((rule, i) => (
          <li key={`r${i}`}>
            <div>
              {rule.name && <span className="strong">{rule.name}: </span>}
              if {rule.when.map((group) => group.map(clauseText).join(" and ")).join(", or ")} →{" "}
              <Badge tone="accent">{serveText(rule.serve)}</Badge>
            </div>
            <Ranges serve={setting.rules?.[i]?.serve} variants={variants} />
          </li>
        ))}
        <li>
          <div>
            {draft.targets.length + draft.rules.length > 0 ? "Everybody else" : "Everybody"} gets{" "}
            {setting.default.serve === "variant" ? (
              <Badge tone="accent">{setting.default.variant}</Badge>
            ) : setting.default.serve === "split" ? (
              "a share of the split:"
            ) : (
              <RolloutText serve={setting.default} />
            )}
          </div>
          <Ranges serve={setting.default} variants={variants} />
        </li>
      </ol>
      <Section title="Fallback">
        <p>
          While the flag is off, and for anybody who has no id to divide by: <Badge>{setting.off}</Badge>
        </p>
      </Section>
    </>
  );
}

function RolloutText({ serve }: { serve: Extract<Serve, { serve: "rollout" }> }) {
  const { rollout } = serve;
  const points = rollout.split.ranges
    .filter((r) => r.variant === rollout.candidate)
    .reduce((n, r) => n + r.to - r.from, 0);
  if (rollout.state.state === "halted")
    return (
      <>
        <Badge tone="accent">{rollout.control}</Badge>: the rollout of {rollout.candidate} is halted
      </>
    );
  if (rollout.state.state === "done")
    return (
      <>
        <Badge tone="accent">{rollout.candidate}</Badge>, rolled out
      </>
    );
  return (
    <>
      {rollout.candidate} rolling out at {share(points)}:
    </>
  );
}

function Ranges({ serve, variants }: { serve?: Serve; variants: string[] }) {
  const split =
    serve?.serve === "split"
      ? serve.split
      : serve?.serve === "rollout" && serve.rollout.state.state === "widening"
        ? serve.rollout.split
        : null;
  return split ? (
    <div style={{ marginTop: 8 }}>
      <ShareBar ranges={split.ranges} variants={variants} rest={split.rest} />
    </div>
  ) : null;
}

//! Web: the lists of a segment: who is in it and who is not, whatever its condition says. A few ids are added or taken
//! off by hand; a file replaces a list whole.
import { Button, Checkbox, FileButton, Group, Textarea } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { ApiError } from "../../api/client";
import { edit } from "../../api/edits";
import { changed, members } from "../../api/queries";
import type { SegmentView } from "../../api/types";
import { belowFirst, headingOf, idsOf, isHeading } from "../../lib/ids";
import { count, plural, size } from "../../lib/numbers";
import { useChange, type Because } from "../../parts/Change";
import { Section } from "../../parts/Page";
import { Failed } from "../../parts/States";
import { Note } from "../../parts/Words";
import { useMay } from "../../shell/may";

type Which = "included" | "excluded";

const ABOUT: Record<Which, string> = {
  included: "They are in the segment whatever its condition says.",
  excluded: "They are not in it whatever its condition says, unless they are listed in, too.",
};
const TITLE: Record<Which, string> = { included: "Listed in", excluded: "Listed out" };

export function IdsTab({ view }: { view: SegmentView }) {
  return (
    <>
      <List view={view} which="included" />
      <List view={view} which="excluded" />
    </>
  );
}

function List({ view, which }: { view: SegmentView; which: Which }) {
  const { change } = useChange();
  const client = useQueryClient();
  const may = useMay("editor");
  const [text, setText] = useState("");
  const key = view.segment.key;
  const { count: many } = view[which];
  const ids = idsOf(text);
  const first = ids[0];
  /** Takes back what a change did to the list: who was on it already was no part of the change. */
  const undo = async (because: Because) => {
    const made = await client.fetchQuery(changed(because.if_revision));
    const { came = 0, went = 0, added = [], removed = [] } = made.lists.find((l) => l.list === which) ?? {};
    if (came > added.length || went > removed.length)
      throw new Error(
        `${plural(came, "id")} came and ${count(went)} went, which is more than can be taken back by a click: replace the list by the file that it was`,
      );
    return edit.segmentIds(key, { list: which, add: removed, remove: added, ...because });
  };
  const amend = async (what: "add" | "remove") => {
    const made = await change({
      title:
        what === "add"
          ? `Put ${plural(ids.length, "id")} on the list “${TITLE[which].toLowerCase()}” of ${key}?`
          : `Take ${plural(ids.length, "id")} off the list “${TITLE[which].toLowerCase()}” of ${key}?`,
      confirm: what === "add" ? "Add" : "Take off",
      run: (why) => edit.segmentIds(key, { list: which, [what]: ids, why, if_revision: view.revision }),
      undo,
      done: what === "add" ? `${plural(ids.length, "id is", "ids are")} on the list` : "taken off the list",
    });
    if (made) setText("");
  };
  const upload = async (file: File | null) => {
    if (!file) return;
    const heading = await headingOf(file);
    let text: Blob = file;
    void change({
      title: `Replace the list “${TITLE[which].toLowerCase()}” of ${key}?`,
      moves: (
        <>
          <p style={{ margin: 0 }}>
            <b>{file.name}</b>, {size(file.size)}, one id a line, replaces the {plural(many, "id")} that{" "}
            {many === 1 ? "is" : "are"} listed. It is taken whole or not at all.
          </p>
          {heading && <Heading said={heading.said} onChange={(out) => (text = out ? heading.below : file)} />}
        </>
      ),
      confirm: "Replace the list",
      danger: many > 0,
      run: (why) => edit.uploadIds(key, which, text, { why, if_revision: view.revision }),
      undo,
      done: `${file.name} is the list now`,
    });
  };
  return (
    <Section title={`${TITLE[which]}: ${plural(many, "id")}`} about={ABOUT[which]}>
      {many > 0 && <Listed view={view} which={which} />}
      <form
        className="form"
        aria-label={TITLE[which]}
        onSubmit={(e) => {
          e.preventDefault();
          void amend("add");
        }}
      >
        <Textarea
          label="Ids"
          description="One a line."
          autosize
          minRows={3}
          maxRows={10}
          spellCheck={false}
          classNames={{ input: "mono" }}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
        {first !== undefined && isHeading(first) && (
          <Note tone="warn">
            <p role="status">
              The first line, <code className="mono">{first}</code>, looks like a heading and not like an id.
            </p>
            <Button size="compact-sm" variant="default" mt={6} onClick={() => setText(belowFirst(text))}>
              Leave it out
            </Button>
          </Note>
        )}
        <Group gap="xs">
          <Button
            type="submit"
            disabled={!may.allowed || ids.length === 0}
            title={may.allowed ? undefined : may.reason}
          >
            Add
          </Button>
          <Button
            variant="default"
            disabled={!may.allowed || ids.length === 0 || many === 0}
            onClick={() => void amend("remove")}
          >
            Take off
          </Button>
          <FileButton
            onChange={(file) => void upload(file)}
            accept="text/plain,text/csv,.txt,.csv"
            resetRef={undefined}
          >
            {(props) => (
              <Button
                {...props}
                variant="default"
                disabled={!may.allowed}
                leftSection={<IconUpload size={15} aria-hidden />}
              >
                Replace by a file
              </Button>
            )}
          </FileButton>
        </Group>
      </form>
    </Section>
  );
}

/** The first of a list, and on demand all of it. */
function Listed({ view, which }: { view: SegmentView; which: Which }) {
  const [all, setAll] = useState(false);
  const { count: many, first } = view[which];
  const query = useInfiniteQuery({ ...members(view.segment.key, which), enabled: all });
  const pages = query.data?.pages;
  const shown = pages ? pages.flatMap((page) => page.ids) : first;
  const more = pages ? query.hasNextPage : many > first.length;
  return (
    <>
      <ul className="ids mono" aria-label={`${pages ? "Ids" : "First ids"} ${which}`} tabIndex={0}>
        {shown.map((id) => (
          <li key={id}>{id}</li>
        ))}
      </ul>
      {query.isError && !ApiError.away(query.error) && (
        <Failed error={query.error} retry={() => void query.refetch()} since={query.errorUpdatedAt} />
      )}
      {more && (
        <Group gap="xs" align="center" mb="md">
          <p className="dim" role="status">
            The first {count(shown.length)} of {count(many)}
            {pages ? ", in the order of their text." : "."}
          </p>
          <Button
            size="compact-sm"
            variant="default"
            loading={query.isFetching}
            onClick={() => (all ? void query.fetchNextPage() : setAll(true))}
          >
            Show more
          </Button>
        </Group>
      )}
    </>
  );
}

/** Says that a file begins like a table, and asks whether its first line is an id. */
function Heading({ said, onChange }: { said: string; onChange: (out: boolean) => void }) {
  return (
    <div style={{ marginTop: 12 }}>
      <Note tone="warn">
        <p role="status">
          Its first line, <code className="mono">{said}</code>, looks like a heading and not like an id. Every line is
          one id, commas and all.
        </p>
        <Checkbox mt={8} label="Leave the first line out" onChange={(e) => onChange(e.currentTarget.checked)} />
      </Note>
    </div>
  );
}

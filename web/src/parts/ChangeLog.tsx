//! Web: the log of changes, of one thing or of all: who, what, when and why, with what the edit says.
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import {
  IconCalendarTime,
  IconChevronDown,
  IconChevronRight,
  IconKey,
  IconRobot,
  IconShieldCheck,
  IconStairsUp,
  IconUser,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { changes, type About } from "../api/queries";
import type { ChangeView } from "../api/types";
import { diff } from "../lib/diff";
import { day } from "../lib/time";
import { Empty, Loaded, Said } from "./States";
import { Diff, When } from "./Words";

const ICONS: Record<string, typeof IconUser> = {
  person: IconUser,
  key: IconKey,
  guard: IconShieldCheck,
  ramp: IconStairsUp,
  schedule: IconCalendarTime,
  system: IconRobot,
};

type Props = {
  about: About;
  before?: number;
  limit?: number;
  /** Only what happened from a moment on, and where it is of one environment, there. */
  only?: { since: number; environment: string };
};

export function ChangeLog({ about, before, limit = 50, only }: Props) {
  const query = useQuery(changes(about, before, limit));
  const navigate = useNavigate();
  return (
    <Loaded query={query}>
      {({ changes: all, next: older }) => {
        const list = only ? all.filter((v) => within(v, only)) : all;
        const next = only && all.some((v) => v.change.at < only.since) ? null : older;
        if (only && list.length === 0) return <p className="dim">Nothing was changed.</p>;
        if (list.length === 0)
          return (
            <Empty title="No changes" why="Everything that changes what people get is written here, with its reason." />
          );
        return (
          <>
            <ol className="log" aria-label={only ? "Changes of the flag, newest first" : "Changes, newest first"}>
              {list.map((view, i) => {
                const today = day(view.change.at);
                const first = i === 0 || day(list[i - 1]!.change.at) !== today;
                return (
                  <li key={view.change.revision}>
                    {first && <div className="day">{today}</div>}
                    <Entry view={view} before={list.slice(i + 1).find((v) => same(v, view))} />
                  </li>
                );
              })}
            </ol>
            {next != null && (
              <Button
                variant="default"
                onClick={() => void navigate({ to: ".", search: (old) => ({ ...old, before: String(next) }) })}
              >
                Older changes
              </Button>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function within({ change }: ChangeView, only: { since: number; environment: string }): boolean {
  const where = (change.edit as Record<string, unknown>)["environment"];
  return change.at >= only.since && (where === undefined || where === only.environment);
}

/** Whether two changes are edits of the same kind to the same place, so that they can be compared. */
function same(a: ChangeView, b: ChangeView): boolean {
  const [x, y] = [a.change.edit as Record<string, unknown>, b.change.edit as Record<string, unknown>];
  return (
    JSON.stringify(a.about) === JSON.stringify(b.about) &&
    x["edit"] === y["edit"] &&
    x["environment"] === y["environment"]
  );
}

function Entry({ view, before }: { view: ChangeView; before?: ChangeView }) {
  const [open, setOpen] = useState(false);
  const { change, by, sentence } = view;
  const Icon = ICONS[by.kind] ?? IconUser;
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    <article className="log-entry">
      <Tooltip label={by.kind}>
        <span className="who" data-kind={by.kind}>
          <Icon size={15} stroke={1.7} aria-label={by.kind} />
        </span>
      </Tooltip>
      <div className="grow">
        <div>
          <span className="strong">{by.name}</span> {sentence}
        </div>
        {change.why && (
          <div className="why">
            <Said>{change.why}</Said>
          </div>
        )}
        {open && (
          <div style={{ marginTop: 8 }}>
            <Diff label={`Edit of revision ${change.revision}`} lines={diff(before?.change.edit, change.edit)} />
            <p className="dim" style={{ margin: "4px 0 0", fontSize: 12 }}>
              {before
                ? `compared with revision ${before.change.revision}, the last edit of this kind`
                : "the first edit of this kind on this page"}
            </p>
          </div>
        )}
      </div>
      <div className="meta">
        <When at={change.at} />
        <span className="dim num">r{change.revision}</span>
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          onClick={() => setOpen(!open)}
          aria-expanded={open}
          aria-label={`What revision ${change.revision} changed`}
        >
          <Chevron size={16} aria-hidden />
        </ActionIcon>
      </div>
    </article>
  );
}

//! Web: the log of changes, of one thing or of all: who, what, when and why. Where it is of all, each leads to its thing;
//! opened, it shows how the thing stood before and after.
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
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { changed, changes, type About } from "../api/queries";
import type { ChangeView } from "../api/types";
import { diff } from "../lib/diff";
import { count } from "../lib/numbers";
import { nameText, unturned } from "../lib/sent";
import { addressOf, around } from "../lib/subject";
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
                    <Entry view={view} leads={!only && Object.keys(about).length === 0} />
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

function Entry({ view, leads }: { view: ChangeView; leads: boolean }) {
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
        <div className="said">
          <span className="strong">{by.name}</span> {leads ? <Leading view={view} /> : unturned(sentence)}
        </div>
        {change.why && (
          <div className="why">
            <Said>{change.why}</Said>
          </div>
        )}
        {open && <Difference revision={change.revision} />}
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

/** The sentence, in which the name of the thing leads to it. */
function Leading({ view: { about, sentence } }: { view: ChangeView }) {
  const to = addressOf(about);
  if (!to) return unturned(sentence);
  const [before, name, after] = around(sentence, "key" in about ? about.key : "tracking plan");
  return (
    <>
      {before}
      <Link to={to}>{name}</Link>
      {after}
    </>
  );
}

/** What a change made of its thing. */
function Difference({ revision }: { revision: number }) {
  const query = useQuery(changed(revision));
  return (
    <div style={{ marginTop: 8 }}>
      <Loaded query={query} lines={3}>
        {({ before, after, lists }) => (
          <>
            <Diff label={`What revision ${revision} changed`} lines={diff(before ?? undefined, after ?? undefined)} />
            {lists.map((l) => (
              <dl key={l.list} className="ids-changed" aria-label={`Ids ${l.list}`}>
                <dt>
                  Ids {l.list.replaceAll("`", "")}: {count(l.before)} before, {count(l.after)} after
                </dt>
                {l.came > 0 && <dd>{idsText("came", l.came, l.added)}</dd>}
                {l.went > 0 && <dd>{idsText("went", l.went, l.removed)}</dd>}
              </dl>
            ))}
          </>
        )}
      </Loaded>
    </div>
  );
}

/** `2 went: ana-1, bo-2`; of many the first. */
function idsText(what: string, many: number, ids: string[]): string {
  return `${count(many)} ${what}: ${ids.map(nameText).join(", ")}${many > ids.length ? ", …" : ""}`;
}

//! Web: one beta: where it is on, what of it nobody sees, whom it is for and what they get.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import type { JSX } from "react";

import { edit } from "../api/edits";
import { beta as betaQuery, flags, schedules } from "../api/queries";
import type { BetaView, Environment } from "../api/types";
import { darkIn, isOn, stands } from "../lib/beta";
import { plural } from "../lib/numbers";
import { sorted } from "../lib/planned";
import { ago } from "../lib/time";
import { Archive } from "../parts/Archive";
import { ChangeLog } from "../parts/ChangeLog";
import { Page, Section } from "../parts/Page";
import { absent, Loaded } from "../parts/States";
import { Badge, Note } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { BetaForm } from "./beta/Form";
import { BetaSwitch, useBetaSwitch } from "./beta/switch";
import { NoSuch } from "./Missing";
import { Scheduled } from "./Scheduled";
import { useToggle } from "./toggle";

const TABS = [
  { key: "definition", label: "Definition" },
  { key: "schedule", label: "Schedule" },
  { key: "changes", label: "Changes" },
];

export function NewBetaScreen(): JSX.Element {
  return (
    <Page
      title="New beta"
      above={{ label: "Betas", to: "/betas" }}
      state="A group of flags for an audience, switched as one. A new one is off everywhere."
    >
      <BetaForm />
    </Page>
  );
}

export function BetaScreen(): JSX.Element {
  const { beta: key } = useParams({ from: "/inside/betas/$beta" });
  const { tab } = useSearch({ from: "/inside/betas/$beta" });
  const { here } = useEnvironment();
  const query = useQuery(betaQuery(key));
  const door = useBetaSwitch();
  const view = query.data;
  const { waiting } = sorted(useQuery(schedules(here.key)).data ?? [], { beta: key });
  const tabs = TABS.map((t) =>
    t.key === "schedule" && waiting.length > 0 ? { ...t, label: `Schedule (${waiting.length})` } : t,
  );
  const open = TABS.find((t) => t.key === tab)?.key ?? "definition";
  if (absent(query)) return <NoSuch what="beta" name={key} error={query.error} />;
  const name = view?.beta.name || key;
  return (
    <Page
      name={name}
      title={
        <>
          {name} {view?.beta.archived && <Badge tone="off">archived</Badge>}
        </>
      }
      code={key}
      above={{ label: "Betas", to: "/betas" }}
      state={
        view ? (
          <>
            {stands(view, here)} Changed {ago(view.changed)} by {view.changed_by.name}.
            {waiting[0] && ` Scheduled: ${waiting[0].sentence}, ${ago(waiting[0].schedule.at)}.`}
          </>
        ) : undefined
      }
      actions={
        view && !view.beta.archived ? <BetaSwitch view={view} environment={here} door={door} size="md" /> : undefined
      }
      tabs={{ all: tabs, open, label: `Views of ${key}` }}
    >
      {open === "changes" ? (
        <ChangeLog about={{ beta: key }} />
      ) : (
        <Loaded query={query}>
          {(v) =>
            open === "schedule" ? (
              v.beta.archived ? (
                <p className="dim">It is archived: nothing can be scheduled of it.</p>
              ) : (
                <Scheduled key={here.key} of={{ beta: key, on: isOn(v, here.key) }} here={here} />
              )
            ) : (
              <>
                {!v.beta.archived && <Where view={v} door={door} />}
                <fieldset className="bare" disabled={Boolean(v.beta.archived)}>
                  <BetaForm key={key} view={v} />
                </fieldset>
                <Archive
                  what="beta"
                  name={key}
                  archived={Boolean(v.beta.archived)}
                  about="An archived beta is shown to nobody: its audience gets what everybody gets."
                  run={(archived, because) => edit.archiveBeta(key, { archived, ...because })}
                />
              </>
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

/** Where it is on, and what of it nobody sees there. The environment in view has its switch beside the title. */
function Where({ view, door }: { view: BetaView; door: ReturnType<typeof useBetaSwitch> }) {
  const { all, here } = useEnvironment();
  const others = all.filter((e) => e.key !== here.key);
  return (
    <Section title="Where it is on">
      <Dark view={view} environment={here} />
      <ul className="plain where" aria-label="Environments">
        {[here, ...others].map((e) => {
          const dark = darkIn(view, e.key).length;
          return (
            <li key={e.key}>
              <span>
                {e.name} {e.production && <Badge tone="production">production</Badge>}
              </span>
              {e.key === here.key ? (
                <span className={isOn(view, e.key) ? "strong" : "dim"}>{isOn(view, e.key) ? "On" : "Off"}</span>
              ) : (
                <BetaSwitch view={view} environment={e} door={door} size="sm" />
              )}
              <span className="dim">
                {dark === 0
                  ? "all of its flags are on"
                  : `${plural(dark, "flag")} off: nobody sees ${dark === 1 ? "it" : "them"}`}
              </span>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

/** The flags that are off where one looks, each with its switch. */
function Dark({ view, environment }: { view: BetaView; environment: Environment }) {
  const dark = darkIn(view, environment.key);
  const known = useQuery({ ...flags(true), enabled: dark.length > 0 }).data ?? [];
  const toggle = useToggle();
  const may = useMay("editor");
  if (dark.length === 0) return null;
  return (
    <Note tone="warn">
      <p className="strong">
        {plural(dark.length, "flag")} of it {dark.length === 1 ? "is" : "are"} off in {environment.name}, so that nobody
        sees {dark.length === 1 ? "it" : "them"}, in the audience or not
      </p>
      <ul className="plain dark-flags" aria-label={`Flags that are off in ${environment.name}`}>
        {dark.map((key) => {
          const flag = known.find((f) => f.flag.key === key);
          const there = flag?.flag.settings[environment.key] !== undefined && !flag.flag.archived;
          return (
            <li key={key}>
              <Link to="/flags/$flag" params={{ flag: key }}>
                {flag?.flag.name || key}
              </Link>
              {there && flag ? (
                <Button
                  size="compact-sm"
                  variant="default"
                  disabled={!may.allowed}
                  title={may.allowed ? undefined : may.reason}
                  aria-label={`Turn on ${key} in ${environment.name}`}
                  onClick={() => void toggle.ask(flag, environment)}
                >
                  Turn on
                </Button>
              ) : (
                flag && <span>{flag.flag.archived ? "archived" : `not in ${environment.name}`}</span>
              )}
            </li>
          );
        })}
      </ul>
    </Note>
  );
}

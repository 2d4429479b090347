//! Web: an address that leads nowhere, a thing that is not there, a page that broke, and one that is on its way. The shell stays
//! around them: whoever is lost has the rail.
import { Button } from "@mantine/core";
import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import type { JSX } from "react";

import { ApiError } from "../api/client";
import { capital, hinted } from "../lib/spoken";
import { Page } from "../parts/Page";
import { Bones, Empty, Failed, Said } from "../parts/States";

export function Missing(): JSX.Element {
  return (
    <Page title="Page not found">
      <Empty
        title="No page has this address"
        why="The link may be cut off or misspelt. The rail has every page, and Search or do finds flags, experiments and metrics by name."
      >
        <Link to="/">Go home</Link>
      </Empty>
    </Page>
  );
}

const KINDS = {
  flag: { label: "Flags", to: "/flags", gone: "Flags are archived, never deleted" },
  experiment: { label: "Experiments", to: "/experiments", gone: "Experiments are stopped, never deleted" },
  segment: { label: "Segments", to: "/segments", gone: "Segments are archived, never deleted" },
  layer: { label: "Layers", to: "/layers", gone: "Layers are archived, never deleted" },
  holdout: { label: "Holdouts", to: "/holdouts", gone: "Holdouts are archived, never deleted" },
  beta: { label: "Betas", to: "/betas", gone: "Betas are archived, never deleted" },
  proposal: { label: "Tracking plan", to: "/plan", gone: "Proposals are closed or approved, never deleted" },
  metric: { label: "Metrics", to: "/metrics", gone: "Metrics are never deleted" },
} as const;

/** In place of the page of something that does not exist. */
export function NoSuch({
  what,
  name,
  error,
}: {
  what: keyof typeof KINDS;
  name: string;
  error?: unknown;
}): JSX.Element {
  const kind = KINDS[what];
  return (
    <Page title={`No ${what} “${name}”`} above={{ label: kind.label, to: kind.to }}>
      <Empty
        title={`No ${what} has the key ${name}`}
        why={
          <>
            {kind.gone}, so the link is misspelt or comes from another installation.
            {/* That there is none yet says what operation makes one, which is for programs. */}
            {error instanceof ApiError && !error.hint.startsWith("there is none yet") && (
              <>
                {" "}
                <Said>{capital(hinted(error.hint))}</Said>.
              </>
            )}
          </>
        }
      >
        <Link to={kind.to}>
          See {what === "proposal" ? "the" : "all"} {kind.label.toLowerCase()}
        </Link>
      </Empty>
    </Page>
  );
}

export function Broken({ error, reset }: ErrorComponentProps): JSX.Element {
  const away = ApiError.away(error);
  const unloaded = error instanceof ApiError && error.code === "unloaded";
  return (
    <Page title={away ? "The server cannot be reached" : unloaded ? "Not loaded" : "This page broke"}>
      <Failed error={error} />
      {/* A browser may remember that a file did not come, until the page is loaded anew. */}
      <Button mt="md" variant="default" onClick={unloaded ? () => window.location.reload() : reset}>
        {unloaded ? "Reload" : "Try again"}
      </Button>
    </Page>
  );
}

/** In place of a screen whose file is on its way. */
export function Opening(): JSX.Element {
  return (
    <div className="page">
      <Bones late />
    </div>
  );
}

//! Web: an address that leads nowhere, and a page that broke.
import { Button } from "@mantine/core";
import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import type { JSX } from "react";

import { Page } from "../parts/Page";
import { Empty, Failed } from "../parts/States";

export function Missing(): JSX.Element {
  return (
    <Page title="Nothing here">
      <Empty title="No page has this address" why="It may have been moved, or the link is cut off.">
        <Link to="/flags">See the flags</Link>
      </Empty>
    </Page>
  );
}

export function Broken({ error, reset }: ErrorComponentProps): JSX.Element {
  return (
    <Page title="This page broke">
      <Failed error={error} />
      <Button mt="md" variant="default" onClick={reset}>
        Try again
      </Button>
    </Page>
  );
}

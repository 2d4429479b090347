//! Web: the shell around every page of somebody who has logged in.
import { Drawer } from "@mantine/core";
import { useDisclosure, useLocalStorage } from "@mantine/hooks";
import { IconEye, IconPlugConnectedX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import type { JSX } from "react";

import { useAway } from "../api/connection";
import { me } from "../api/session";
import { moment } from "../lib/time";
import { KeysHelp } from "./Keys";
import { Palette } from "./Palette";
import { Rail } from "./Rail";
import { TopBar } from "./TopBar";
import { Unsaved } from "./Unsaved";

export function Shell(): JSX.Element {
  const [narrow, setNarrow] = useLocalStorage({
    key: "bellwether.rail.folded",
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  const [opened, drawer] = useDisclosure(false);
  return (
    <KeysHelp>
      <a className="skip" href="#content">
        To the content
      </a>
      <div className="shell" data-narrow={narrow ? "" : undefined}>
        <aside className="rail" aria-label="Rail">
          <Rail narrow={narrow} fold={() => setNarrow(!narrow)} />
        </aside>
        <div className="main">
          <TopBar openRail={drawer.open} />
          <Away />
          <Viewing />
          <main id="content" tabIndex={-1} style={{ outline: "none" }}>
            <Outlet />
          </main>
        </div>
      </div>
      <Drawer
        opened={opened}
        onClose={drawer.close}
        size={260}
        title="Pages"
        padding="xs"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <div
          className="rail"
          style={{ position: "static", height: "auto", border: 0, background: "none", padding: 0, display: "flex" }}
        >
          <Rail narrow={false} onPick={drawer.close} />
        </div>
      </Drawer>
      <Palette />
      <Unsaved />
    </KeysHelp>
  );
}

/** Says on every page that the server is away, for as long as it is. */
function Away() {
  const since = useAway();
  return since === null ? null : (
    <section className="away" aria-label="Connection">
      <IconPlugConnectedX size={15} aria-hidden />
      <p role="alert">
        <b>The server cannot be reached</b> since {moment(since)}. The page reads again by itself. It shows what it knew
        then, and keeps what you write.
      </p>
    </section>
  );
}

/** What a viewer is told on every page, because a button that is off can not say it to everybody. */
function Viewing() {
  const { data } = useQuery(me);
  return data?.person.role !== "viewer" ? null : (
    <div className="viewing" role="region" aria-label="Your role">
      <IconEye size={15} aria-hidden />
      You are a viewer: you see everything here and change nothing. Ask an editor or an admin.
    </div>
  );
}

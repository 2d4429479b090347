//! Web: the top bar: environment (production by colour and word), the palette, theme, person.
import { ActionIcon, Menu, useMantineColorScheme, useComputedColorScheme } from "@mantine/core";
import { spotlight } from "@mantine/spotlight";
import { IconCheck, IconChevronDown, IconMenu2, IconMoon, IconSearch, IconSun, IconUser } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { logout, me } from "../api/session";
import { useEnvironment } from "./environment";
import { MOD } from "./shortcuts";

export function TopBar({ openRail }: { openRail: () => void }) {
  const { all, here } = useEnvironment();
  const navigate = useNavigate();
  const client = useQueryClient();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const session = useQuery(me).data;
  return (
    <div className="bar" role="region" aria-label="Top bar">
      <ActionIcon className="burger" variant="subtle" color="gray" onClick={openRail} aria-label="Open the pages">
        <IconMenu2 size={20} aria-hidden />
      </ActionIcon>
      <Menu position="bottom-start" width={240}>
        <Menu.Target>
          <button
            type="button"
            className="env"
            data-production={here.production ? "" : undefined}
            aria-label={`Environment: ${here.name}${here.production ? ", production" : ""}`}
          >
            <i aria-hidden />
            {here.name}
            <IconChevronDown size={14} aria-hidden />
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Environment</Menu.Label>
          {all.map((e) => (
            <Menu.Item
              key={e.key}
              leftSection={
                e.key === here.key ? (
                  <IconCheck size={14} aria-label="shown" />
                ) : (
                  <span style={{ width: 14, display: "inline-block" }} />
                )
              }
              rightSection={
                e.production ? (
                  <span className="badge" data-tone="production">
                    serves customers
                  </span>
                ) : null
              }
              onClick={() => void navigate({ to: ".", search: (old) => ({ ...old, env: e.key }) })}
            >
              {e.name}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <span className="grow" />
      <button type="button" className="finder" onClick={() => spotlight.open()} aria-keyshortcuts="Control+K Meta+K">
        <IconSearch size={15} aria-hidden />
        <span>Search or do</span>
        <kbd aria-hidden>{MOD} K</kbd>
      </button>
      <ActionIcon
        variant="subtle"
        color="gray"
        size={32}
        onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
        aria-label={scheme === "dark" ? "Use the light theme" : "Use the dark theme"}
      >
        {scheme === "dark" ? (
          <IconSun size={18} stroke={1.6} aria-hidden />
        ) : (
          <IconMoon size={18} stroke={1.6} aria-hidden />
        )}
      </ActionIcon>
      <Menu position="bottom-end" width={240}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size={32} aria-label={`You: ${session?.person.name ?? ""}`}>
            <IconUser size={18} stroke={1.6} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {session?.person.name} · {session?.person.role}
            <br />
            {session?.person.email}
          </Menu.Label>
          <Menu.Item
            onClick={() =>
              void logout().finally(() => {
                client.clear();
                client.setQueryData(me.queryKey, null);
                void navigate({ to: "/login" });
              })
            }
          >
            Log out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}

//! Web: all flags. The switch of the shown environment is in the list, because that is what people
//! come for.
import { Button, Switch } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, type JSX } from "react";

import { environments, flags } from "../api/queries";
import type { FlagView } from "../api/types";
import type { Around } from "../lib/around";
import { plural } from "../lib/numbers";
import { servedText } from "../lib/serve";
import { capital } from "../lib/spoken";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { SearchInput } from "../parts/SearchInput";
import { Empty, Loaded } from "../parts/States";
import { Badge, Snippet, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { useAround } from "./around";
import { useToggle } from "./toggle";

export function FlagsScreen(): JSX.Element {
  const { q = "", archived } = useSearch({ from: "/inside/flags" });
  const { here } = useEnvironment();
  const navigate = useNavigate({ from: "/flags" });
  const query = useQuery(flags(archived !== undefined));
  const all = useQuery(environments).data ?? [];
  const around = useAround();
  const toggle = useToggle();
  const may = useMay("editor");
  const others = all.filter((e) => e.key !== here.key);

  const columns = useMemo<Column<FlagView>[]>(
    () => [
      {
        key: "on",
        head: here.name,
        sort: (v) => (v.flag.settings[here.key]?.on ? 1 : 0),
        cell: (v) => {
          const setting = v.flag.settings[here.key];
          if (!setting) return <span className="dim">not here</span>;
          if (v.flag.archived) return <Badge tone="off">archived</Badge>;
          return (
            <span className="row nowrap" style={{ flexWrap: "nowrap" }} title={may.allowed ? undefined : may.reason}>
              <Switch
                size="sm"
                checked={toggle.shows(v, here.key)}
                disabled={!may.allowed}
                withThumbIndicator={false}
                aria-label={`${v.flag.key} in ${here.name}`}
                onChange={() => toggle.ask(v, here)}
              />
              <span aria-hidden style={{ width: 22 }} className={setting.on ? "strong" : "dim"}>
                {toggle.shows(v, here.key) ? "On" : "Off"}
              </span>
            </span>
          );
        },
      },
      {
        key: "key",
        head: "Flag",
        wide: true,
        sort: (v) => (v.flag.name || v.flag.key).toLowerCase(),
        cell: (v) => (
          <>
            <Link to="/flags/$flag" params={{ flag: v.flag.key }} className="key">
              {v.flag.name || v.flag.key}
            </Link>
            {v.flag.name && v.flag.name !== v.flag.key && <span className="mono dim beside">{v.flag.key}</span>}
            <div className="under">{stateOf(v, here.key, around(v, here.key))}</div>
          </>
        ),
      },
      ...others.map((e): Column<FlagView> => ({
        key: `env-${e.key}`,
        head: e.name,
        roomy: true,
        sort: (v) => (v.flag.settings[e.key]?.on ? 1 : 0),
        cell: (v) =>
          v.flag.settings[e.key] === undefined ? (
            <span className="dim">not here</span>
          ) : (
            <Badge tone={v.flag.settings[e.key]?.on ? "accent" : "off"}>
              {v.flag.settings[e.key]?.on ? "On" : "Off"}
            </Badge>
          ),
      })),
      {
        key: "kind",
        head: "Kind",
        roomy: true,
        sort: (v) => v.flag.kind,
        cell: (v) => <span className="dim">{v.flag.kind}</span>,
      },
      {
        key: "changed",
        head: "Changed",
        right: true,
        roomy: true,
        sort: (v) => v.changed,
        cell: (v) => (
          <>
            <When at={v.changed} />
            <div className="under nowrap">{v.changed_by.name}</div>
          </>
        ),
      },
    ],
    [here, others, may, toggle, around],
  );

  return (
    <Page
      title="Flags"
      state={
        query.data
          ? `${plural(query.data.length, "flag")}, ${plural(query.data.filter((v) => v.flag.settings[here.key]?.on && !v.flag.archived).length, "is", "are").replace(/ (is|are)$/, " on")} in ${here.name}.`
          : undefined
      }
      actions={
        <Button component={Link} to="/flags/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New flag
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) => {
          const words = q.toLowerCase().split(/\s+/).filter(Boolean);
          const shown = list.filter((v) => {
            const hay = [v.flag.key, v.flag.name, v.flag.description ?? "", stateOf(v, here.key, around(v, here.key))]
              .join(" ")
              .toLowerCase();
            return words.every((w) => hay.includes(w));
          });
          if (list.length === 0) return <NoFlags />;
          return (
            <>
              <div className="row" style={{ marginBottom: 12 }}>
                <SearchInput
                  label="Search flags"
                  placeholder="Search by key, name or state"
                  value={q}
                  width={320}
                  onSearch={(q) => void navigate({ search: (old) => ({ ...old, q }), replace: true })}
                />
                <Switch
                  size="xs"
                  label="With archived"
                  checked={archived !== undefined}
                  onChange={(e) => {
                    const on = e.currentTarget.checked;
                    void navigate({ search: (old) => ({ ...old, archived: on ? "1" : undefined }), replace: true });
                  }}
                />
              </div>
              {shown.length === 0 ? (
                <Empty
                  title={`No flag matches “${q}”`}
                  why="The search looks at keys, names, descriptions and states."
                />
              ) : (
                <DataTable
                  label="Flags"
                  columns={columns}
                  rows={shown}
                  id={(v) => v.flag.key}
                  order={{ key: "key", down: false }}
                  onOpen={(v) => void navigate({ to: "/flags/$flag", params: { flag: v.flag.key } })}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function stateOf({ flag }: FlagView, environment: string, around: Around | undefined): string {
  const setting = flag.settings[environment];
  return setting && around ? capital(servedText(setting, around)) : "";
}

function NoFlags() {
  return (
    <Empty
      title="No flags yet"
      why="A flag decides at run time who gets which variant: on for some, off for others, and back in a second. Make one here, or over the API."
    >
      <Snippet
        label="curl"
        text={`curl -X POST ${window.location.origin}/api/flags \\
  -H "Authorization: Bearer <an admin key, from Settings>" \\
  -H "Content-Type: application/json" \\
  -d '{"flag": "checkout-v2", "why": "the new checkout"}'`}
      />
    </Empty>
  );
}

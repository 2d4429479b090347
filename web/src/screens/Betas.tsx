//! Web: all betas, with the switch of each environment: a group of flags is shown to its audience, or is not, at once.
import { Button } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, type JSX } from "react";

import { betas } from "../api/queries";
import type { BetaView } from "../api/types";
import { audienceText, darkIn, isOn } from "../lib/beta";
import { plural } from "../lib/numbers";
import { WithArchived } from "../parts/Archive";
import { DataTable, type Column } from "../parts/DataTable";
import { Page } from "../parts/Page";
import { Empty, Loaded } from "../parts/States";
import { Badge, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { BetaSwitch, useBetaSwitch } from "./beta/switch";

export function BetasScreen(): JSX.Element {
  const { archived } = useSearch({ from: "/inside/betas" });
  const { all, here } = useEnvironment();
  const query = useQuery(betas(archived !== undefined));
  const navigate = useNavigate({ from: "/betas" });
  const door = useBetaSwitch();
  const columns = useMemo<Column<BetaView>[]>(
    () => [
      {
        key: "on",
        head: here.name,
        sort: (v) => (isOn(v, here.key) ? 1 : 0),
        cell: (v) =>
          v.beta.archived ? (
            <Badge tone="off">archived</Badge>
          ) : (
            <BetaSwitch view={v} environment={here} door={door} size="sm" />
          ),
      },
      {
        key: "name",
        head: "Beta",
        wide: true,
        sort: (v) => (v.beta.name || v.beta.key).toLowerCase(),
        cell: (v) => {
          const dark = darkIn(v, here.key).length;
          return (
            <>
              <Link to="/betas/$beta" params={{ beta: v.beta.key }} className="key">
                {v.beta.name || v.beta.key}
              </Link>
              {v.beta.name && v.beta.name !== v.beta.key && <span className="mono dim beside">{v.beta.key}</span>}
              <div className="under">For whoever matches: {audienceText(v)}</div>
              {isOn(v, here.key) && dark > 0 && (
                <Badge tone="warn">
                  nobody sees {dark === Object.keys(v.beta.flags).length ? "it" : `${dark} of it`}
                </Badge>
              )}
            </>
          );
        },
      },
      {
        key: "flags",
        head: "Flags",
        right: true,
        sort: (v) => Object.keys(v.beta.flags).length,
        cell: (v) => <span title={Object.keys(v.beta.flags).join(", ")}>{Object.keys(v.beta.flags).length}</span>,
      },
      ...all
        .filter((e) => e.key !== here.key)
        .map((e): Column<BetaView> => ({
          key: `env-${e.key}`,
          head: e.name,
          roomy: true,
          sort: (v) => (isOn(v, e.key) ? 1 : 0),
          cell: (v) => (v.beta.archived ? null : <BetaSwitch view={v} environment={e} door={door} size="xs" />),
        })),
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
    [all, here, door],
  );
  return (
    <Page
      title="Betas"
      state={
        query.data
          ? `${plural(query.data.length, "beta")}, ${query.data.filter((v) => isOn(v, here.key)).length} on in ${here.name}. Each is a group of flags with one switch and an audience of its own.`
          : undefined
      }
      actions={
        <Button component={Link} to="/betas/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New beta
        </Button>
      }
    >
      <Loaded query={query}>
        {(list) => (
          <>
            <WithArchived
              on={archived !== undefined}
              onChange={(on) =>
                void navigate({ search: (old) => ({ ...old, archived: on ? "1" : undefined }), replace: true })
              }
            />
            {list.length === 0 ? (
              <Empty
                title="No betas yet"
                why="A beta is a group of flags that is shown to an audience, such as friends of the house, and switched as one: all of its flags come and go together, for its audience only."
              >
                <Link to="/betas/new">Make the first one</Link>
              </Empty>
            ) : (
              <DataTable
                label="Betas"
                columns={columns}
                rows={list}
                id={(v) => v.beta.key}
                order={{ key: "name", down: false }}
                onOpen={(v) => void navigate({ to: "/betas/$beta", params: { beta: v.beta.key } })}
              />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

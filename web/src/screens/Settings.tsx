//! Web: API keys, the environments, and how Bellwether itself is. A secret is shown once, inside what one does with it.
import { Button, Group, Modal, Select, Stack, Tabs, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState, type JSX } from "react";

import { edit } from "../api/edits";
import { environments, keys, status } from "../api/queries";
import type { KeyView } from "../api/types";
import { count, size } from "../lib/numbers";
import { sendings } from "../lib/sending";
import { exact } from "../lib/time";
import { useChange } from "../parts/Change";
import { DataTable, type Column } from "../parts/DataTable";
import { useFocusBack } from "../parts/focus";
import { Page } from "../parts/Page";
import { Empty, Failed, Loaded } from "../parts/States";
import { Badge, Note, Snippet, When } from "../parts/Words";
import { useEnvironment } from "../shell/environment";
import { useMay } from "../shell/may";
import { Environments } from "./settings/Environments";
import { isRate, LimitKey, RateInput } from "./settings/KeyRate";

const TABS = [
  { key: "keys", label: "API keys" },
  { key: "environments", label: "Environments" },
  { key: "status", label: "Status" },
];

export function SettingsScreen(): JSX.Element {
  const { tab } = useSearch({ from: "/inside/settings" });
  const open = TABS.find((t) => t.key === tab)?.key ?? "keys";
  const [making, setMaking] = useState(false);
  const may = useMay("admin");
  return (
    <Page
      title="Settings"
      state="Keys for SDKs and programs, the environments, and how this server is doing."
      actions={
        <Button
          leftSection={<IconPlus size={16} aria-hidden />}
          disabled={!may.allowed}
          title={may.allowed ? undefined : may.reason}
          onClick={() => setMaking(true)}
        >
          New key
        </Button>
      }
      tabs={{ all: TABS, open, label: "Views of settings" }}
    >
      {open === "status" ? <Status /> : open === "environments" ? <Environments /> : <Keys />}
      {making && <NewKey close={() => setMaking(false)} />}
    </Page>
  );
}

function Keys() {
  const query = useQuery(keys);
  const { change } = useChange();
  const [limiting, setLimiting] = useState<KeyView | null>(null);
  const columns: Column<KeyView>[] = [
    {
      key: "name",
      head: "Key",
      wide: true,
      sort: (k) => k.name,
      cell: (k) => (
        <>
          <span className="strong">{k.name}</span>
          <div className="under mono">{k.id}</div>
          <div className="under cramped">
            {k.scope}, {k.environment ?? "all environments"},{" "}
            {k.events_per_second != null && `at most ${count(k.events_per_second)} events a second, `}made{" "}
            <When at={k.created} />
          </div>
        </>
      ),
    },
    {
      key: "scope",
      head: "Scope",
      roomy: true,
      sort: (k) => k.scope,
      cell: (k) => <Badge tone={k.scope === "admin" ? "warn" : "plain"}>{k.scope}</Badge>,
    },
    {
      key: "environment",
      head: "Environment",
      roomy: true,
      sort: (k) => k.environment ?? "",
      cell: (k) => k.environment ?? <span className="dim">all</span>,
    },
    {
      key: "rate",
      head: "Events a second",
      right: true,
      roomy: true,
      sort: (k) => k.events_per_second ?? null,
      cell: (k) =>
        k.events_per_second != null ? (
          count(k.events_per_second)
        ) : k.scope === "admin" ? null : (
          <span className="dim">any</span>
        ),
    },
    {
      key: "created",
      head: "Created",
      right: true,
      roomy: true,
      sort: (k) => k.created,
      cell: (k) => <When at={k.created} />,
    },
    {
      key: "revoke",
      head: <span className="sr">Limit and revoke</span>,
      right: true,
      cell: (k) =>
        k.revoked != null ? (
          <Badge tone="off">revoked</Badge>
        ) : (
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            {k.scope !== "admin" && (
              <Button size="compact-sm" variant="default" aria-label={`Limit ${k.name}`} onClick={() => setLimiting(k)}>
                Limit
              </Button>
            )}
            <Button
              size="compact-sm"
              variant="default"
              aria-label={`Revoke ${k.name}`}
              onClick={() =>
                void change({
                  title: `Revoke ${k.name}?`,
                  confirm: "Revoke",
                  danger: true,
                  unlogged: true,
                  done: `${k.name} is revoked`,
                  moves: (
                    <p style={{ margin: 0 }}>
                      Programs that use it are refused from the next request on. It cannot be taken back.
                    </p>
                  ),
                  run: () => edit.revokeKey(k.id),
                })
              }
            >
              Revoke
            </Button>
          </Group>
        ),
    },
  ];
  return (
    <Loaded query={query}>
      {(list) =>
        list.length === 0 ? (
          <Empty
            title="No keys yet"
            why="SDKs prove with a key which environment they belong to. A client key may be public: it gets answers for one context and may send events. A server key also gets the rules. An admin key may do everything over the API."
          />
        ) : (
          <>
            <DataTable label="API keys" columns={columns} rows={list} id={(k) => k.id} />
            {limiting && <LimitKey of={limiting} close={() => setLimiting(null)} />}
          </>
        )
      }
    </Loaded>
  );
}

const SCOPES = [
  { value: "client", label: "client: browsers and apps; answers and events" },
  { value: "server", label: "server: your servers; also the rules" },
  { value: "admin", label: "admin: programs that manage Bellwether" },
];

function NewKey({ close }: { close: () => void }) {
  useFocusBack();
  const client = useQueryClient();
  const all = useQuery(environments).data ?? [];
  const { here } = useEnvironment();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<"client" | "server" | "admin">("server");
  const [environment, setEnvironment] = useState(here.key);
  const [rate, setRate] = useState<number | null>(null);
  const [made, setMade] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const create = async () => {
    setError(null);
    try {
      const sends = scope === "admin" ? {} : { environment, events_per_second: rate };
      const { secret } = await edit.createKey({ name, scope, ...sends });
      setMade(secret ?? null);
      await client.invalidateQueries({ queryKey: keys.queryKey });
    } catch (e) {
      setError(e);
    }
  };
  return (
    <Modal opened onClose={close} title={made ? `Key ${name}` : "New key"} size="xl" closeOnClickOutside={!made}>
      {made ? (
        <Stack gap="md">
          <Note tone="warn">
            <p className="strong">This is the only time that the secret is shown.</p>
            <p className="hint">Copy it now. Only its hash is stored.</p>
          </Note>
          <Snippet label="Secret" text={made} />
          <Snippets secret={made} scope={scope} />
          <Group justify="flex-end">
            <Button onClick={close}>I have copied it</Button>
          </Group>
        </Stack>
      ) : (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            void create();
          }}
        >
          <Stack gap="md">
            <TextInput
              label="Name"
              description="What it is for."
              required
              data-autofocus
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
              placeholder="web shop"
            />
            <Select
              label="Scope"
              data={SCOPES}
              value={scope}
              allowDeselect={false}
              onChange={(v) => setScope(v === "client" || v === "admin" ? v : "server")}
            />
            {scope !== "admin" && (
              <Select
                label="Environment"
                data={all.map((e) => ({ value: e.key, label: e.name }))}
                value={environment}
                allowDeselect={false}
                onChange={(v) => setEnvironment(v ?? here.key)}
              />
            )}
            {scope !== "admin" && <RateInput value={rate} onChange={setRate} />}
            {error ? <Failed error={error} /> : null}
            <Group justify="flex-end" gap="xs">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" disabled={scope !== "admin" && !isRate(rate)}>
                Create key
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

/** What one does with a key, ready to run. */
function Snippets({ secret, scope }: { secret: string; scope: "client" | "server" | "admin" }) {
  const url = window.location.origin;
  if (scope === "admin") {
    return <Snippet label="curl" text={`curl ${url}/api/flags -H "Authorization: Bearer ${secret}"`} />;
  }
  const ofrep = `curl -X POST ${url}/ofrep/v1/evaluate/flags \\
  -H "Authorization: Bearer ${secret}" \\
  -H "Content-Type: application/json" \\
  -d '{"context": {"targetingKey": "ana-1"}}'`;
  const openfeature =
    scope === "server"
      ? `import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

await OpenFeature.setProviderAndWait(new OFREPProvider({
  baseUrl: "${url}", headers: [["Authorization", "Bearer ${secret}"]],
}));
const client = OpenFeature.getClient();
await client.getBooleanValue("checkout-v2", false, { targetingKey: "ana-1" });`
      : `import { OpenFeature } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";

await OpenFeature.setContext({ targetingKey: "ana-1" });
await OpenFeature.setProviderAndWait(new OFREPWebProvider({
  baseUrl: "${url}", headers: [["Authorization", "Bearer ${secret}"]],
}));
OpenFeature.getClient().getBooleanValue("checkout-v2", false);`;
  const all = [{ name: "curl", text: ofrep }, { name: "OpenFeature", text: openfeature }, ...sendings(url, secret)];
  return (
    <Tabs defaultValue="curl">
      <Tabs.List aria-label="What to do with it">
        {all.map(({ name }) => (
          <Tabs.Tab key={name} value={name}>
            {name}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {all.map(({ name, text }) => (
        <Tabs.Panel key={name} value={name} pt="sm">
          <Snippet label={name} text={text} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

function Status() {
  const query = useQuery(status);
  return (
    <Loaded query={query}>
      {(s) => (
        <dl className="facts">
          <div>
            <dt>Version</dt>
            <dd>{s.version}</dd>
          </div>
          <div>
            <dt>Its clock</dt>
            <dd>{exact(s.now)}</dd>
          </div>
          <div>
            <dt>Newest change</dt>
            <dd>r{s.revision}</dd>
          </div>
          <div>
            <dt>Events</dt>
            <dd>{count(s.events)}</dd>
          </div>
          <div>
            <dt>Newest event</dt>
            <dd>seq {count(s.seq)}</dd>
          </div>
          <div>
            <dt>Stored files of events</dt>
            <dd>{count(s.parts)}</dd>
          </div>
          <div>
            <dt>On disk</dt>
            <dd title={`${s.bytes} bytes`}>{size(s.bytes)}</dd>
          </div>
          <div>
            <dt>Exposures dropped</dt>
            <dd>
              {count(s.exposures_dropped)}
              {s.exposures_dropped === 0 ? "" : <span className="dim"> since the start</span>}
            </dd>
          </div>
        </dl>
      )}
    </Loaded>
  );
}

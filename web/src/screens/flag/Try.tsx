//! Web: what one context gets, and every step that led to it, now or at a past revision. The context and the revision
//! are in the address.
import { Button, Group, JsonInput, NumberInput, Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { edit } from "../../api/edits";
import { changes, recent } from "../../api/queries";
import type { Environment, FlagView, RecentEvent } from "../../api/types";
import { contextsOf } from "../../lib/contexts";
import { ago, moment } from "../../lib/time";
import { Loaded } from "../../parts/States";
import { Answer } from "./Explained";

const EXAMPLE = JSON.stringify({ targetingKey: "ana-1", plan: "pro", country: "DE" }, null, 2);

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export function TryTab({ view, here }: { view: FlagView; here: Environment }) {
  const { ctx, rev } = useSearch({ from: "/inside/flags/$flag" });
  const navigate = useNavigate({ from: "/flags/$flag" });
  const [text, setText] = useState(ctx ? JSON.stringify(parsed(ctx) ?? {}, null, 2) : EXAMPLE);
  const context = ctx ? parsed(ctx) : null;
  const revision = rev && /^\d+$/.test(rev) ? Number(rev) : undefined;
  const query = useQuery({
    queryKey: ["explain", view.flag.key, here.key, ctx ?? "", revision ?? view.revision],
    enabled: context !== null,
    retry: false,
    queryFn: () => edit.explain(view.flag.key, { environment: here.key, context: context ?? {}, revision }),
  });
  const wrong = parsed(text) === null;
  const ask = (from: string) => {
    const one = parsed(from);
    if (one) void navigate({ search: (old) => ({ ...old, ctx: JSON.stringify(one) }) });
  };
  return (
    <div className="two">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          ask(text);
        }}
      >
        <RecentUser
          environment={here.key}
          onPick={(found) => {
            const said = JSON.stringify(found, null, 2);
            setText(said);
            ask(said);
          }}
        />
        <JsonInput
          label="Context"
          description="targetingKey is the user's id; everything else is an attribute."
          mt="sm"
          autosize
          minRows={8}
          value={text}
          onChange={setText}
          classNames={{ input: "mono" }}
          error={wrong ? "This is not a JSON object yet" : undefined}
        />
        <AtRevision
          flag={view.flag.key}
          value={revision}
          onChange={(to) =>
            void navigate({ search: (old) => ({ ...old, rev: to === undefined ? undefined : String(to) }) })
          }
        />
        <Button type="submit" mt="md" disabled={wrong}>
          Evaluate
        </Button>
      </form>
      <div aria-live="polite">
        {context === null ? (
          <p className="dim">
            Give a context, or pick a recent user, and every step that leads to its variant is listed here. Nothing is
            recorded: trying it is no exposure.
          </p>
        ) : (
          <Loaded query={query} lines={4}>
            {({ sentence, explanation, revision: of }) => (
              <Answer
                sentence={sentence}
                explained={explanation}
                view={view}
                past={revision === undefined ? undefined : of}
              />
            )}
          </Loaded>
        )}
      </div>
    </div>
  );
}

/** People whose events came in last, with what those say of them. */
function RecentUser({
  environment,
  onPick,
}: {
  environment: string;
  onPick: (context: Record<string, unknown>) => void;
}) {
  const query = useQuery({ ...recent(environment, 500), refetchInterval: false, staleTime: 30_000 });
  const found = contextsOf((query.data?.events ?? []) as unknown as RecentEvent[]);
  return (
    <Select
      label="Recent user"
      description="With what their newest event says of them."
      placeholder={
        query.isPending
          ? "Looking…"
          : query.isError
            ? "They could not be read"
            : found.length
              ? "Pick one"
              : "Nobody yet"
      }
      disabled={found.length === 0}
      searchable
      value={null}
      data={found.map((f) => ({ value: f.name, label: `${f.name}, ${ago(f.at)}` }))}
      limit={50}
      maxDropdownHeight={320}
      nothingFoundMessage="Nobody recent has that id"
      onChange={(name) => {
        const one = found.find((f) => f.name === name);
        if (one) onPick(one.context);
      }}
    />
  );
}

/** Which revision is asked: the newest, or one of those that changed the flag, or any by its number. */
function AtRevision({
  flag,
  value,
  onChange,
}: {
  flag: string;
  value: number | undefined;
  onChange: (revision: number | undefined) => void;
}) {
  const log = useQuery({ ...changes({ flag }), refetchInterval: false }).data?.changes ?? [];
  const known = log.map(({ change, sentence }) => ({
    value: String(change.revision),
    label: `r${change.revision}, ${moment(change.at)}: ${sentence.replaceAll("`", "")}`,
  }));
  const other = value !== undefined && !known.some((k) => k.value === String(value));
  return (
    <Group gap="sm" mt="sm" align="flex-end" wrap="nowrap">
      <Select
        label="As of"
        style={{ flex: 1 }}
        allowDeselect={false}
        data={[
          { value: "now", label: "Now" },
          ...known,
          ...(other ? [{ value: String(value), label: `r${value}` }] : []),
        ]}
        value={value === undefined ? "now" : String(value)}
        maxDropdownHeight={320}
        onChange={(v) => onChange(v === "now" || v === null ? undefined : Number(v))}
      />
      <NumberInput
        label="Revision"
        w={96}
        min={1}
        allowDecimal={false}
        hideControls
        placeholder="any"
        value={value ?? ""}
        onChange={(v) => onChange(typeof v === "number" && v > 0 ? v : undefined)}
      />
    </Group>
  );
}

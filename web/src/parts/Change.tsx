//! Web: the one way in which the page changes something. In production it says what will move and
//! asks for the reason; afterwards it offers undo for ten seconds. A stale edit is never forced: the
//! newer revision is named, with its difference.
import { Button, Group, Modal, Stack, Text, Textarea } from "@mantine/core";
import { useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useCallback, useContext, useEffect, useRef, useState, type ReactNode } from "react";

import { ApiError } from "../api/client";
import { changes } from "../api/queries";
import type { Warning } from "../api/types";
import { diff } from "../lib/diff";
import { unturned } from "../lib/sent";
import { capital, hinted } from "../lib/spoken";
import { Failed, Said } from "./States";
import { toHeading, useFocusBack } from "./focus";
import { Diff, Note, When } from "./Words";

/** The reason of a change and the revision that it is of: what has been changed since is not overwritten. */
export type Because = { why: string; if_revision: number };

/** How a change is made, and taken back. An undo is of the revision that the change made, so that within its ten
 * seconds nothing that somebody else did is taken back with it. */
export type Doing =
  | { run: (why: string) => Promise<{ revision: number }>; undo?: (because: Because) => Promise<unknown> }
  | { run: (why: string) => Promise<unknown>; undo?: undefined };

/** A change that a person is about to make. */
export type Intent = Doing & Question;

/** How a change is asked for and told of. */
export type Question = {
  /** The question: `Turn checkout on in production?` */
  title: string;
  /** What will move. */
  moves?: ReactNode;
  /** The word on the button. */
  confirm: string;
  danger?: boolean;
  /** A reason to start from; it can be edited, unless it is `fixed`. */
  why?: string;
  fixed?: boolean;
  /** Not a change of the ledger: it takes no reason. */
  unlogged?: boolean;
  /** Makes the change without a dialog: for environments that serve no customers. */
  quick?: boolean;
  /** What is shown afterwards, such as `checkout is on in production`. */
  done: string;
  /** What the page showed, and how to read what is there now: for the difference when it is stale. */
  shown?: unknown;
  newest?: () => Promise<unknown>;
  /** Lets go of what was written, so that the newer one can be shown. */
  discard?: () => void;
  /** Puts what was written on top of the newer one, to be looked at and saved again. */
  keep?: () => Promise<void>;
};

type Undo = () => Promise<unknown>;
type Toast = { text: string; warnings?: string[]; undo?: Undo; id: number; bad?: boolean };
type Door = { change: (intent: Intent) => Promise<boolean>; say: (text: string) => void };

/** Reads what scans many events; nobody waits for it after a change. */
const SCANS = new Set<unknown>(["segmentation", "results", "guard", "catalogue", "properties", "recent"]);

/** Makes everything that was read stale, and waits for what the page shows of the ledger. */
async function refresh(client: QueryClient): Promise<void> {
  void client.invalidateQueries({ predicate: (q) => SCANS.has(q.queryKey[0]) });
  await client.invalidateQueries({ predicate: (q) => !SCANS.has(q.queryKey[0]) && q.queryKey[0] !== "me" });
}

/** Makes a change; gives what the server warns of, and the way to take it back, if there is one. */
async function done(one: Intent, why: string): Promise<Pick<Toast, "undo" | "warnings">> {
  if (!one.undo) return { warnings: warningsOf(await one.run(why)) };
  const { undo } = one;
  const made = await one.run(why);
  return {
    undo: () => undo({ why: `undo: ${one.done}`, if_revision: made.revision }),
    warnings: warningsOf(made),
  };
}

/** What an answer to a change warns of: what it does besides, or does not do. */
function warningsOf(answer: unknown): string[] {
  const { warnings } = (typeof answer === "object" && answer !== null ? answer : {}) as { warnings?: Warning[] };
  return (warnings ?? []).map((w) => `${capital(w.message)}: ${hinted(w.hint)}`);
}

/** Why something was not done, in words; of a stale one, what was done meanwhile and by whom. */
async function reasonOf(error: unknown, client: QueryClient): Promise<string> {
  const { newest } = error instanceof ApiError && error.code === "stale" ? error.details : {};
  if (typeof newest === "number") {
    const log = await client.fetchQuery(changes({}, newest + 1, 1)).catch(() => undefined);
    const other = log?.changes.find((v) => v.change.revision === newest);
    if (other)
      return `meanwhile ${other.by.name} ${other.sentence.replaceAll("`", "")}${other.change.why ? `, “${other.change.why}”` : ""} (revision ${newest}). Turn yours back by hand if that still holds`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** That something was not done and why; where nobody knows whether it was, that. */
function notDone(what: string, error: unknown, why: string): string {
  return ApiError.unknown(error) ? `${capital(why)}. ${capital(error.hint)}` : `${what}: ${why}`;
}

const Changes = createContext<Door | null>(null);

/** The door to changes: `change(intent)` resolves to whether it was made. */
export function useChange(): Door {
  const door = useContext(Changes);
  if (!door) throw new Error("useChange is used inside ChangeProvider");
  return door;
}

export function ChangeProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [intent, setIntent] = useState<{ one: Intent; error?: unknown } | null>(null);
  const [toast, setToast] = useState<Toast | null>(null);
  const settle = useRef<(made: boolean) => void>(() => {});
  const serial = useRef(0);

  const show = useCallback((toast: Omit<Toast, "id">) => setToast({ ...toast, id: ++serial.current }), []);
  const announce = useCallback((text: string, bad?: boolean) => show({ text, bad }), [show]);

  const make = useCallback(
    async (one: Intent, why: string) => {
      const made = await done(one, why);
      await refresh(client);
      show({ text: one.done, ...made });
    },
    [client, show],
  );

  const change = useCallback(
    async (one: Intent): Promise<boolean> => {
      let stale: ApiError | undefined;
      if (one.quick) {
        try {
          await make(one, one.why ?? "");
          return true;
        } catch (error) {
          if (!(error instanceof ApiError) || error.code !== "stale") {
            await refresh(client);
            announce(notDone("Not changed", error, error instanceof Error ? error.message : String(error)), true);
            return false;
          }
          stale = error;
        }
      }
      return new Promise<boolean>((resolve) => {
        settle.current = resolve;
        setIntent({ one, error: stale });
      });
    },
    [announce, client, make],
  );

  const close = (made: boolean) => {
    settle.current(made);
    setIntent(null);
  };

  return (
    <Changes.Provider value={{ change, say: announce }}>
      {children}
      {intent && (
        <ReasonDialog key={intent.one.title} intent={intent.one} refused={intent.error} make={make} close={close} />
      )}
      {toast && (
        <UndoToast
          key={toast.id}
          toast={toast}
          close={() => setToast(null)}
          undo={async () => {
            try {
              await toast.undo?.();
              await refresh(client);
              announce("Undone");
            } catch (error) {
              await refresh(client);
              announce(notDone("Not undone", error, await reasonOf(error, client)), true);
            }
          }}
        />
      )}
    </Changes.Provider>
  );
}

type DialogProps = {
  intent: Intent;
  /** What it was refused with before anything was asked. */
  refused?: unknown;
  make: (one: Intent, why: string) => Promise<void>;
  close: (made: boolean) => void;
};

function ReasonDialog({ intent, refused, make, close }: DialogProps) {
  const made = useFocusBack();
  const [why, setWhy] = useState(intent.why ?? "");
  const [error, setError] = useState<unknown>(refused ?? null);
  const [busy, setBusy] = useState(false);
  const ready = intent.unlogged === true || why.trim() !== "";
  const stale = error instanceof ApiError && error.code === "stale" ? error : null;
  const submit = async () => {
    setBusy(true);
    setError(null);
    try {
      await make(intent, why.trim());
      made.current = true;
      close(true);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={() => close(false)} title={unturned(intent.title)} size="lg">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void submit();
        }}
      >
        <Stack gap="md">
          {intent.moves && <div>{intent.moves}</div>}
          {!intent.unlogged && (
            <Textarea
              label="Reason"
              description={
                intent.fixed
                  ? "The verdict is the reason; it stays in the log of changes, with your name."
                  : "It stays in the log of changes, with your name. Enter makes the change."
              }
              value={why}
              required
              minRows={2}
              readOnly={intent.fixed}
              autosize
              data-autofocus
              onFocus={(e) => !intent.fixed && e.currentTarget.select()}
              onChange={(e) => setWhy(e.currentTarget.value)}
              onKeyDown={(e) => {
                // A reason is mostly one line. What an input method composes is not finished by its Enter.
                if (e.key !== "Enter" || e.shiftKey || e.nativeEvent.isComposing) return;
                e.preventDefault();
                if (ready && !busy && !stale) void submit();
              }}
            />
          )}
          {stale ? (
            <Stale error={stale} intent={intent} leave={() => close(false)} />
          ) : error ? (
            <Failed error={error} />
          ) : null}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={() => close(false)}>
              Cancel
            </Button>
            <Button
              type="submit"
              color={intent.danger ? "red.9" : undefined}
              loading={busy}
              disabled={!ready || stale !== null}
            >
              {intent.confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Stale({ error, intent, leave }: { error: ApiError; intent: Intent; leave: () => void }) {
  const client = useQueryClient();
  const [newest, setNewest] = useState<unknown>(undefined);
  const [failed, setFailed] = useState<unknown>(undefined);
  const unread = (error: unknown) => setFailed(ApiError.pressed(error));
  const { newest: revision, at, by: author } = error.details;
  const newer = typeof revision === "number" ? revision : 0;
  // What the newer change did and why is in the log; the refusal names its author.
  const log = useQuery({ ...changes({}, newer + 1, 1), enabled: newer > 0, refetchInterval: false });
  const by = log.data?.changes.find((v) => v.change.revision === newer);
  const name = named(author) ?? by?.by.name;
  return (
    <Note tone="warn">
      <div role="alert">
        <p className="strong">
          Newer revision {newer}
          {name ? ` by ${name}` : ""}
          {typeof at === "number" ? (
            <>
              , <When at={at} />
            </>
          ) : null}
          : your change was not made
        </p>
        <p className="hint">
          {by ? unturned(`It ${by.sentence}${by.change.why ? `: “${by.change.why}”` : ""}.`) : hinted(error.hint)}
        </p>
        {newest !== undefined && (
          <div style={{ marginTop: 8 }}>
            <Diff label="What changed since this page was loaded" lines={diff(intent.shown, newest)} />
          </div>
        )}
        {failed !== undefined && <Failed error={failed} />}
        <Group gap="xs" mt={8}>
          {intent.newest && newest === undefined && (
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => void intent.newest?.().then(setNewest).catch(unread)}
            >
              See the difference
            </Button>
          )}
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              intent.discard?.();
              void client.invalidateQueries();
              leave();
            }}
          >
            {intent.discard ? "Discard mine, show the newer one" : "Show the newer one"}
          </Button>
          {intent.keep && (
            <Button size="compact-sm" onClick={() => void intent.keep?.().then(leave).catch(unread)}>
              Put mine on top of it
            </Button>
          )}
        </Group>
      </div>
    </Note>
  );
}

/** The name in `details.by` of a refusal, where the server gives one; an id is nobody's name. */
function named(author: unknown): string | null {
  const name = typeof author === "object" && author !== null ? (author as { name?: unknown }).name : null;
  return typeof name === "string" && name !== "" ? name : null;
}

function UndoToast({ toast, close, undo }: { toast: Toast; close: () => void; undo: () => void }) {
  const last = useRef(close);
  last.current = close;
  useEffect(() => {
    const timer = setTimeout(() => last.current(), 10_000);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="toast" role={toast.bad ? "alert" : "status"}>
      <Text size="sm" component="div">
        {unturned(toast.text)}
        {toast.warnings?.map((warning) => (
          <p key={warning} className="warned">
            <Said>{warning}</Said>
          </p>
        ))}
      </Text>
      {toast.undo && (
        <button
          type="button"
          data-undo
          onClick={() => {
            toHeading();
            undo();
          }}
        >
          Undo
        </button>
      )}
      <button type="button" onClick={close}>
        Close
      </button>
      <i aria-hidden />
    </div>
  );
}

//! Web: what a view shows when it has nothing to show yet: loading, empty, refused, failed. Old data
//! stays on the page while new data is fetched.
import { Button, Title } from "@mantine/core";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";
import type { UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";

import { ApiError } from "../api/client";
import { useAway, useReturns } from "../api/connection";
import { nameText, unturned } from "../lib/sent";
import { capital, hinted } from "../lib/spoken";
import { byServer, moment } from "../lib/time";
import { Note } from "./Words";

/** Grey lines where text will be, after 200 ms, so that a fast answer shows no flicker; at once where it is `late`. */
export function Bones({ lines = 6, late = false }: { lines?: number; late?: boolean }) {
  const [shown, show] = useState(late);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="bones" role="status" aria-label="Loading">
      {shown && Array.from({ length: lines }, (_, i) => <i key={i} style={{ width: `${90 - ((i * 37) % 50)}%` }} />)}
    </div>
  );
}

/** What would be here, why it is not, and the one thing to do. */
export function Empty({ title, why, children }: { title: string; why: ReactNode; children?: ReactNode }) {
  return (
    <div className="empty">
      <Title order={2}>{unturned(title)}</Title>
      <p>{why}</p>
      {children}
    </div>
  );
}

/** An error in the server's words, with the request's id and a way on; `since` a time of the browser. */
export function Failed({ error, retry, since }: { error: unknown; retry?: () => void; since?: number }) {
  const known = error instanceof ApiError ? error : null;
  const refused = known?.status === 403;
  const returned = useReturns();
  const away = useAway() !== null;
  // What could not be sent may be, now that the server is back: what was written stands beside this.
  if (typeof known?.returnsThen === "number" && returned > known.returnsThen) return null;
  // The bar above the page says it once for all that is read, which is tried again until it comes.
  if (retry && away && ApiError.away(error)) return <Bones lines={3} late />;
  return (
    <div className="note" data-tone={refused ? "warn" : "bad"} role="alert">
      {refused ? <IconLock size={18} aria-hidden /> : <IconAlertTriangle size={18} aria-hidden />}
      <div className="grow">
        <p className="strong">
          <Said>{capital(known?.message ?? "this page broke")}</Said>
        </p>
        <p className="hint">
          <Said>{capital(hinted(known?.hint ?? (error instanceof Error ? error.message : "reload the page")))}</Said>
        </p>
        {(known?.requestId || (since && !refused)) && (
          <p className="dim">
            {known?.requestId && (
              <>
                request <span className="mono">{known.requestId}</span>
              </>
            )}
            {known?.requestId && since && !refused ? " · " : ""}
            {since && !refused ? `since ${moment(byServer(since))}` : ""}
          </p>
        )}
      </div>
      {retry && !refused && (
        <Button variant="default" size="xs" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Text of the server with its values in backticks set as code. What senders wrote in it turns nothing and is seen; nothing
 * else of it is changed. */
export function Said({ children }: { children: string }) {
  const parts = children.split(/`([^`]*)`/);
  return (
    <>
      {parts.map((part, i) =>
        i % 2 ? (
          <code key={i} className="mono">
            {nameText(part)}
          </code>
        ) : (
          unturned(part)
        ),
      )}
    </>
  );
}

/** What makes the numbers below mean less than they say, with what to look into. */
export function Warnings({ list }: { list?: { message: string; hint: string }[] }) {
  return !list?.length ? null : (
    <ul className="plain warnings" aria-label="Warnings">
      {list.map(({ message, hint }) => (
        <li key={message}>
          <Note tone="warn">
            <p className="strong">
              <Said>{capital(message)}</Said>
            </p>
            <p className="hint">
              <Said>{capital(hint)}</Said>
            </p>
          </Note>
        </li>
      ))}
    </ul>
  );
}

/** Whether what was asked for is not there at all, rather than not to be had now. */
export function absent(query: { error: unknown; data: unknown }): boolean {
  return query.data === undefined && query.error instanceof ApiError && query.error.status === 404;
}

type LoadedProps<T> = { query: UseQueryResult<T>; lines?: number; children: (data: T) => ReactNode };

/** The data of a query, or the state in which it is. */
export function Loaded<T>({ query, lines, children }: LoadedProps<T>) {
  const retry = () => void query.refetch();
  if (query.data !== undefined) {
    return (
      <>
        {/* That the server is away is said once, above all that it was to bring. */}
        {query.isError && !ApiError.away(query.error) && (
          <Failed error={query.error} retry={retry} since={query.errorUpdatedAt} />
        )}
        {children(query.data)}
      </>
    );
  }
  return query.isError ? (
    <Failed error={query.error} retry={retry} since={query.errorUpdatedAt} />
  ) : (
    <Bones lines={lines} />
  );
}

/** That something beside the subject of a view could not be read: the first of these that failed, to be tried again. */
export function Unread({ of }: { of: UseQueryResult<unknown>[] }) {
  const failed = of.filter((query) => query.isError && query.data === undefined && !ApiError.away(query.error));
  const [first] = failed;
  return !first ? null : (
    <div style={{ marginBottom: 16 }}>
      <Failed
        error={first.error}
        retry={() => failed.forEach((query) => void query.refetch())}
        since={first.errorUpdatedAt}
      />
    </div>
  );
}

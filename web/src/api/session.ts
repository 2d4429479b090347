//! Web: who is logged in. The three doors of a session are not operations, so their types are here.
import { queryOptions } from "@tanstack/react-query";

import { serverTime } from "../lib/time";
import { ApiError, ask, post, rememberCsrf } from "./client";

/** A person, as they see themselves. */
export type Person = { id: string; name: string; email: string; role: "viewer" | "editor" | "admin" };
/** An open session. */
export type Session = { person: Person; csrf: string; now: number };

function opened(session: Session): Session {
  rememberCsrf(session.csrf);
  serverTime(session.now);
  return session;
}

/** The session, or `null` for nobody. */
export const me = queryOptions({
  queryKey: ["me"],
  staleTime: Infinity,
  retry: false,
  queryFn: async (): Promise<Session | null> => {
    const asked = fetch("/api/me").then(async (response) => {
      const body: unknown = await response.json().catch(() => null);
      return response.ok ? { data: body as Session, response } : { error: body, response };
    });
    try {
      return opened(await ask<Session>(asked));
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
});

/** Whether nobody has an account yet, so that the one-time link is the way in. */
export const unclaimed = queryOptions({
  queryKey: ["setup"],
  retry: false,
  queryFn: async (): Promise<boolean> => {
    const response = await fetch("/api/setup");
    const body = (await response.json()) as { open?: unknown } | null;
    if (!response.ok || typeof body?.open !== "boolean")
      throw new Error("the server does not say whether it is set up");
    return body.open;
  },
});

export const login = (email: string, password: string) => post<Session>("/api/login", { email, password }).then(opened);

export const setup = (token: string, name: string, email: string, password: string) =>
  post<Session>("/api/setup", { token, name, email, password }).then(opened);

export const logout = () => post<unknown>("/api/logout", {});

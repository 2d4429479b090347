//! Web: the door to the API. Typed by the OpenAPI document; every refusal arrives as an `ApiError`
//! with the words of the server, and writes carry the CSRF token of the session.
import createClient from "openapi-fetch";

import { heard, relayed, returns, silent } from "./connection";
import type { paths } from "./schema";

const AWAY = "the server cannot be reached";
const UNKNOWN = `nobody knows whether this was done: ${AWAY}`;

/** What the server said no with, in its own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly requestId: string,
    readonly details: Record<string, unknown>,
    /** Of what was sent to a server that was away: how often that had come back by then. */
    readonly returnsThen: number | null = null,
  ) {
    super(message);
  }

  /** Of an answer, or of none: `status` 0. Reading is tried again until the server is back; what was `sent` is not, and whether
   * it arrived nobody knows. */
  static from(status: number, body: unknown, sent = false): ApiError {
    const b = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
    const away = status === 0 || relayed(status, body);
    if (away) silent();
    else heard();
    const word = (key: string, other: string) => (typeof b[key] === "string" ? (b[key] as string) : other);
    return new ApiError(
      away ? 0 : status,
      word("code", away ? "unreachable" : `http_${status}`),
      word("message", away ? (sent ? UNKNOWN : AWAY) : `the server answered ${status} without a reason`),
      word(
        "hint",
        away
          ? sent
            ? "what you wrote stays here; once the server is back, look whether it was done, and press again if it was not"
            : "check that bellwether runs; this page tries again by itself, and keeps what you wrote"
          : "try again; if it stays, look for it in the server's log",
      ),
      word("request_id", ""),
      typeof b["details"] === "object" && b["details"] !== null ? (b["details"] as Record<string, unknown>) : {},
      away && sent ? returns() : null,
    );
  }

  /** Whether this says that the server is away. */
  static away(error: unknown): boolean {
    return error instanceof ApiError && error.code === "unreachable";
  }

  /** Why something that a person asked for by a press could not be read: that is not read again by itself. */
  static pressed(error: unknown): unknown {
    if (!(error instanceof ApiError && error.code === "unreachable")) return error;
    const { status, code, message, requestId, details } = error;
    return new ApiError(status, code, message, "press again once the server is back", requestId, details);
  }

  /** Whether this says that nobody knows whether something was done, because the server was away when it was sent. */
  static unknown(error: unknown): error is ApiError {
    return error instanceof ApiError && error.returnsThen !== null;
  }

  /** A part of the page that is a file of its own did not come. */
  static unloaded(): ApiError {
    const hint = "check that bellwether runs, then reload; reload also if it was updated since this page was opened";
    return new ApiError(0, "unloaded", "this part of the page could not be loaded", hint, "", {});
  }
}

let csrf = "";

/** Remembers the token that the session's writes must carry. */
export function rememberCsrf(token: string): void {
  csrf = token;
}

export const api = createClient<paths>({ baseUrl: window.location.origin });

api.use({
  onRequest({ request }) {
    if (request.method !== "GET" && csrf) request.headers.set("X-CSRF-Token", csrf);
    return request;
  },
});

type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The data of an answer to what changes something, or an `ApiError`. */
export const send = <T>(answer: Answer<T>): Promise<T> => ask(answer, true);

/** The data of an answer, or an `ApiError`. */
export async function ask<T>(answer: Answer<T>, sent = false): Promise<T> {
  let settled;
  try {
    settled = await answer;
  } catch {
    throw ApiError.from(0, null, sent);
  }
  const { data, error, response } = settled;
  if (!response.ok) throw ApiError.from(response.status, error, sent);
  heard();
  return data as T;
}

/** Posts to a door that is not an operation, such as login. */
export function post<T>(path: string, body: unknown): Promise<T> {
  return call<T>("POST", path, body);
}

/** Asks a door by its path. A text is sent as it is, everything else as JSON. */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const sent = method !== "GET";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": body instanceof Blob ? "text/plain" : "application/json" }),
        ...(csrf && sent ? { "X-CSRF-Token": csrf } : {}),
      },
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
    });
  } catch {
    throw ApiError.from(0, null, sent);
  }
  const text = await response.text();
  let parsed: unknown = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    parsed = null;
  }
  if (!response.ok) throw ApiError.from(response.status, parsed, sent);
  heard();
  return parsed as T;
}

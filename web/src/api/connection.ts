//! Web: whether the server answers. Every answer and every silence is told here. Once a silence is confirmed the page says so
//! in one place, asks again by itself, and reads everything anew when the server is back.
import { useSyncExternalStore } from "react";

import { now } from "../lib/time";

/** So often it is asked whether it is back, ms. */
const AGAIN = 2_000;
/** An answer this new is one of a server that is there, ms. */
const FRESH = 500;

let since: number | null = null;
let backs = 0;
let asking: Promise<void> | null = null;
let answered = -Infinity;
const watchers = new Set<() => void>();

function set(to: number | null): void {
  if ((since === null) === (to === null)) return;
  since = to;
  if (to === null) backs++;
  for (const told of watchers) told();
}

/** Whether an answer comes from something that stands before the server, which does not reach it either. */
export function relayed(status: number, body: unknown): boolean {
  const own = typeof body === "object" && body !== null && "code" in body;
  return status >= 502 && status <= 504 && !own;
}

/** The server answered something. */
export function heard(): void {
  answered = performance.now();
  set(null);
}

/** It did not. One request may fail for itself, so it is asked once more before anybody is told. */
export function silent(): void {
  answered = -Infinity;
  void back();
}

/** Asks until the server answers. */
function back(): Promise<void> {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask(): Promise<void> {
  const from = now();
  while (!(await answers())) {
    set(from);
    await new Promise((done) => setTimeout(done, AGAIN));
  }
  heard();
}

async function answers(): Promise<boolean> {
  try {
    const response = await fetch("/api/setup", { cache: "no-store", signal: AbortSignal.timeout(5_000) });
    return response.ok;
  } catch {
    return false;
  }
}

/** How often the server has come back. */
export function returns(): number {
  return backs;
}

/** How often the server has come back, as it is now. */
export function useReturns(): number {
  return useSyncExternalStore(watch, returns);
}

/** Since when the server has not answered; `null` while it does. */
export function useAway(): number | null {
  return useSyncExternalStore(watch, () => since);
}

function watch(told: () => void): () => void {
  watchers.add(told);
  return () => void watchers.delete(told);
}

/** Tells when the server is back. */
export function onBack(told: () => void): void {
  let away = false;
  watchers.add(() => {
    if (away && since === null) told();
    away = since !== null;
  });
}

/** Waits until the server answers. A browser remembers that a file did not come until the page is loaded anew, so a file is
 * asked for only when there is somebody to send it. */
export async function reached(): Promise<void> {
  if (since !== null || performance.now() - answered > FRESH) await back();
}

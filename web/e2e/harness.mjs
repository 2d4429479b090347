//! Web tests: a real server with a real browser on it. The server runs under a manual clock, so that
//! weeks of an experiment pass in a test; what it holds came in through its public doors.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

const ROOT = resolve(import.meta.dirname, "../..");
const PICTURES = join(ROOT, "target/screenshots");
const BINARY = process.env.BELLWETHER_BIN ?? join(ROOT, "target/debug/bellwether");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const DEMOTE = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as ledger:
    ledger.execute("update people set role = 'viewer'")
`;

export const DAY = 86_400_000;
/** A Monday at 08:00 UTC. */
export const START = Date.UTC(2026, 2, 2, 8);
export const ANA = { name: "Ana Ortiz", email: "ana@example.com", password: "correct horse battery" };

/** Starts `bellwether serve` on a data folder of its own; `stop` ends it and removes the folder. */
export async function serve() {
  const data = mkdtempSync(join(tmpdir(), "bellwether-web-"));
  let child, ended;
  const start = async (listen) => {
    const clock = ["--clock", "manual", "--clock-start", String(START)];
    const args = ["serve", "--listen", listen, "--data", data, "--json", ...clock];
    child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    ended = new Promise((done) => child.once("exit", done));
    return Promise.race([
      new Promise((found) => createInterface({ input: child.stdout }).once("line", (line) => found(JSON.parse(line)))),
      ended.then((code) => Promise.reject(new Error(`bellwether ended with ${code} before it was ready:\n${said}`))),
    ]);
  };
  const ready = await start(`127.0.0.1:${process.env.BELLWETHER_PORT ?? 0}`);
  // For work on the page alone: BELLWETHER_PORT=18080 and BELLWETHER_PAGE=http://127.0.0.1:4173 with
  // BELLWETHER=http://127.0.0.1:18080 npx vite preview, so that the binary need not be built anew.
  const page = process.env.BELLWETHER_PAGE;
  return {
    address: ready.address,
    /** Makes everybody who has an account a viewer. No door gives roles yet, so it is written where they are read. */
    demote: () => execFileSync("python3", ["-c", DEMOTE, join(data, "ledger.sqlite")]),
    setup: page ? ready.setup.replace(ready.address, page) : ready.setup,
    page: page ?? ready.address,
    /** Ends it as a power cut does. */
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
    /** Starts it again, on the same folder and at the same address. */
    again: () => start(new URL(ready.address).host),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** A program with an admin key. */
export class Program {
  constructor(address, headers) {
    Object.assign(this, { address, headers });
  }

  /** Logs in once to make the key: a session ends after two weeks, which the clock of a test soon shows. */
  static async connect(address) {
    const response = await fetch(`${address}/api/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email: ANA.email, password: ANA.password }),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(`login: ${JSON.stringify(body)}`);
    const session = new Program(address, {
      Cookie: response.headers.getSetCookie()[0].split(";")[0],
      "X-CSRF-Token": body.csrf,
    });
    const { secret } = await session.ask("POST", "/api/keys", { name: "deploy bot", scope: "admin" });
    return new Program(address, { Authorization: `Bearer ${secret}` });
  }

  async ask(method, path, body) {
    const response = await fetch(`${this.address}${path}`, {
      method,
      headers: { "Content-Type": "application/json", ...this.headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}

/** Small seeded random numbers (mulberry32), so that every run has the same shop. */
export function random(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A browser at the page; `say` collects what its console and its network complain about. */
export async function browse() {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    // Date fields are drawn by the browser in its own language.
    env: { ...process.env, LANGUAGE: "en_GB" },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-quic",
      "--no-first-run",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const context = await browser.newContext({
    viewport: { width: 1360, height: 860 },
    locale: "en-GB",
    timezoneId: "UTC",
    reducedMotion: "reduce",
    colorScheme: "light",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (line) => {
    if (line.type() === "error" && !/status of (401|409)/.test(line.text())) complaints.push(`console: ${line.text()}`);
  });
  return { browser, page, complaints };
}

/** What axe finds wrong with the page as it stands. */
export async function violations(page) {
  await page.evaluate(AXE);
  const { violations: found } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  return found.map(
    (v) =>
      `${v.id}: ${v.help} (${v.nodes
        .map((n) => `${n.target.join(" ")}: ${n.any.map((a) => a.message).join("; ")}`)
        .slice(0, 3)
        .join(" | ")})`,
  );
}

/** A server with an account, a key for events, and a browser that has logged in; for the tests of one subject. */
export async function house(width = 1280) {
  const server = await serve();
  const { browser, page, complaints } = await browse();
  await page.setViewportSize({ width, height: 860 });
  await page.goto(server.setup);
  // A browser that has just started reads and compiles everything before it shows the first field; on a machine that has
  // other work this alone has taken more than the ten seconds that anything later may take.
  await page.getByLabel("Your name").waitFor({ timeout: 60_000 });
  await page.getByLabel("Your name").fill(ANA.name);
  await page.getByLabel("Email").fill(ANA.email);
  await page.getByRole("textbox", { name: "Password" }).fill(ANA.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.getByRole("heading", { level: 1, name: /Welcome/ }).waitFor();
  const program = await Program.connect(server.address);
  const { secret } = await program.ask("POST", "/api/keys", {
    name: "shop",
    scope: "server",
    environment: "production",
  });
  return {
    server,
    page,
    complaints,
    program,
    secret,
    heading: (name) => page.getByRole("heading", { level: 1, name }),
    button: (name) => page.getByRole("button", { name, exact: typeof name === "string" }),
    visit: (path) => page.goto(server.page + path),
    clean: async (name) => assert.deepEqual(await portray(page, name), []),
    close: async () => {
      await browser.close();
      await server.stop();
    },
  };
}

/** Pictures of the page: light, dark and 390 px wide; and what axe says of each. The page is left as it was. */
export async function portray(page, name) {
  const size = page.viewportSize() ?? { width: 1360, height: 860 };
  mkdirSync(PICTURES, { recursive: true });
  const said = [];
  const picture = (kind) => page.screenshot({ path: join(PICTURES, `${name}-${kind}.png`), animations: "disabled" });
  await page.mouse.move(0, 0);
  await picture("light");
  said.push(...(await violations(page)));
  await page.emulateMedia({ colorScheme: "dark" });
  await picture("dark");
  said.push(...(await violations(page)).map((v) => `dark: ${v}`));
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 844 });
  await picture("390");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > 390) said.push(`390 px: the page is ${wide} px wide`);
  said.push(...(await violations(page)).map((v) => `390 px: ${v}`));
  await page.emulateMedia({ colorScheme: "dark" });
  await picture("390-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
  return said;
}

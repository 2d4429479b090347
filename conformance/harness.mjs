//! Conformance: starts the real binary on a directory of its own and speaks to its public HTTP
//! API. Nothing here knows the inside of the server; what a test needs it asks for as a program would.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const root = resolve(here, '..');
export const shared = resolve(root, '..', 'shared');
export const binary = process.env.BELLWETHER ?? join(root, 'target', 'debug', 'bellwether');

/** `PROOF=full` runs the counts that the proof promises; anything else a tenth of them. */
export const full = process.env.PROOF === 'full';
export const count = (n) => (full ? n : Math.ceil(n / 10));

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A file of the shared data, or undefined after one line that says so. */
export function sharedFile(path) {
  const at = join(shared, path);
  if (existsSync(at)) return at;
  console.log(`skipped: no shared data (${path})`);
  return undefined;
}

/** Notes a measured fact for `docs/proof.md`, and prints it. */
export function fact(subject, text) {
  console.log(`${subject}: ${text}`);
  const dir = join(root, 'target', 'proof');
  mkdirSync(dir, { recursive: true });
  appendFileSync(join(dir, 'facts.jsonl'), `${JSON.stringify({ subject, text })}\n`);
}

/** Numbers in [0, 1) from a seed, the same on every machine (mulberry32). */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs `work` over all items, at most `width` at a time. */
export async function inParallel(items, width, work) {
  const queue = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Asks again until the answer satisfies `holds`; fails with the last answer after `within` ms. */
export async function until(ask, holds = Boolean, within = 10_000) {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() > deadline) {
      throw new Error(`still not so after ${within} ms: ${JSON.stringify(answer)?.slice(0, 2000)}`);
    }
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** An API answer that is not a success. */
export class Refused extends Error {
  constructor(status, body) {
    super(`${status}: ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
  }
}

const endings = new WeakMap();

/** Ends something when the test is over: what was begun last ends first, clients before their server. */
export function atEnd(t, end) {
  let ends = endings.get(t);
  if (!ends) {
    endings.set(t, (ends = []));
    t.after(async () => {
      for (const end of ends.reverse()) await end();
    });
  }
  ends.push(end);
}

/** A directory that is removed when the test is over. */
export function directory(t) {
  const dir = mkdtempSync(join(tmpdir(), 'bellwether-'));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The running product. */
export class Server {
  /**
   * Starts it, makes the first admin through the one-time link, and keys of all scopes.
   * @param {{after: Function}} t the test that stops it when it ends
   * @param {{clock?: number, data?: string, environment?: string}} options `clock`: a manual clock that begins there
   */
  static async start(t, { clock, data, environment = 'production' } = {}) {
    const server = new Server();
    server.data = data ?? directory(t);
    server.environment = environment;
    server.clockStart = clock;
    await server.open();
    atEnd(t, () => server.stop());
    const token = new URL(server.setup).searchParams.get('token');
    const person = { token, email: 'ada@example.com', name: 'Ada', password: 'correct horse battery staple' };
    const login = await fetch(`${server.url}/api/setup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(person),
    });
    const session = await login.json();
    if (!login.ok) throw new Refused(login.status, session);
    server.session = { cookie: login.headers.getSetCookie().map((c) => c.split(';')[0]).join('; '), csrf: session.csrf };
    server.keys = {};
    for (const scope of ['admin', 'client', 'server']) {
      const key = await server.call('POST', '/api/keys', {
        name: `${scope} of the proofs`,
        scope,
        ...(scope === 'admin' ? {} : { environment }),
      });
      server.keys[scope] = key.secret;
    }
    return server;
  }

  /** Starts the process on its directory and waits until it listens. */
  async open({ listen = '127.0.0.1:0' } = {}) {
    const clock = this.clockStart === undefined ? [] : ['--clock', 'manual', '--clock-start', String(this.clockStart)];
    const args = ['serve', '--data', this.data, '--listen', listen, '--json', ...clock];
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    this.log = '';
    child.stderr.on('data', (text) => (this.log = (this.log + text).slice(-20_000)));
    const exited = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`the server ended with ${code ?? signal} before it listened\n${this.log}`);
    });
    const line = once(createInterface({ input: child.stdout }), 'line');
    const [text] = await Promise.race([line, exited]);
    exited.catch(() => {});
    const { address, setup } = JSON.parse(text);
    this.url = address;
    this.setup = setup ?? this.setup;
  }

  /** Ends it cleanly and says how it ended: a server that crashed makes its test fail. */
  async stop() {
    this.agent?.destroy();
    const code = await this.end('SIGTERM');
    if (code !== 0) throw new Error(`the server ended with ${code}\n${this.log}`);
  }

  /** Ends the process, by its id, in one way or the other. */
  async end(signal) {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    return child.exitCode ?? child.signalCode;
  }

  /** A call of the product's API with the admin key; throws `Refused`. */
  async call(method, path, body) {
    const headers = this.keys?.admin
      ? { authorization: `Bearer ${this.keys.admin}` }
      : { cookie: this.session.cookie, 'x-csrf-token': this.session.csrf };
    const reply = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await reply.text();
    const answer = text === '' ? undefined : JSON.parse(text);
    if (!reply.ok) throw new Refused(reply.status, answer);
    return answer;
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body) {
    return this.call('POST', path, { why: 'the proofs', ...body });
  }

  put(path, body) {
    return this.call('PUT', path, { why: 'the proofs', ...body });
  }

  /** A raw request with a key of one scope. */
  raw(path, { method = 'POST', scope = 'server', headers = {}, body, json } = {}) {
    return fetch(this.url + path, {
      method,
      headers: {
        ...(scope ? { authorization: `Bearer ${this.keys[scope]}` } : {}),
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
    });
  }

  /**
   * Asks with JSON on kept connections and gives the answer, which must be a 200. Leaner than
   * `fetch`, for proofs that ask a hundred thousand times.
   */
  ask(path, json, scope = 'server') {
    this.agent ??= new Agent({ keepAlive: true });
    const body = JSON.stringify(json);
    const headers = {
      authorization: `Bearer ${this.keys[scope]}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    return new Promise((resolve, reject) => {
      const asked = request(this.url + path, { method: 'POST', agent: this.agent, headers }, (reply) => {
        const parts = [];
        reply.on('data', (part) => parts.push(part));
        reply.on('error', reject);
        reply.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (reply.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Refused(reply.statusCode, text));
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }

  /** Moves the manual clock; returns when everything due up to then has run. */
  async advance(to) {
    await this.call('POST', '/api/clock/advance', { to });
  }

  toggle(flag, on, environment = this.environment) {
    return this.post(`/api/flags/${flag}/toggle`, { environment, on });
  }
}

/** One server for all tests of a `describe`: its `server` is there from `before` on. */
export function serving(options) {
  let end;
  const suite = {};
  before(async () => {
    suite.server = await Server.start({ after: (all) => (end = all) }, options);
  });
  after(() => end?.());
  return suite;
}

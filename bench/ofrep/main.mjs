//! Bench of OFREP: the real binary on this machine, asked over HTTP/1.1 by programs of their own. It promises
//! that no number is reported of a run in which any request failed or any client missed a change.
//!
//!     npm ci && node main.mjs              to the terminal
//!     npm ci && node main.mjs --write      and into ../RESULTS.md
//!     node main.mjs --only streams         one part: `requests` or `streams`
//!     node main.mjs --clients 2000 --toggles 5 --seconds 5

import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { make, shares } from '../../conformance/flags.mjs';
import { Server, binary, root } from '../../conformance/harness.mjs';

const { values: asked } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    only: { type: 'string' },
    clients: { type: 'string', default: '10000' },
    toggles: { type: 'string', default: '11' },
    seconds: { type: 'string', default: '10' },
  },
});
const FLAGS = 350;
const [clients, toggles, seconds] = [asked.clients, asked.toggles, asked.seconds].map(Number);

/** Half of the flags are a percentage; the others ask three clauses first. */
function flag(n) {
  const key = `feature-${String(n).padStart(4, '0')}`;
  const half = { serve: 'split', shares: shares({ on: 5000, off: 5000 }) };
  const clause = (attribute, op, ...values) => ({ attribute, op, values });
  const when = [
    [clause('country', 'is', 'FI', 'SE', 'NO'), clause('plan', 'is', 'pro'), clause('version', 'version_greater', '2.0.0')],
  ];
  const target = n % 2 === 0 ? { default: half } : { rules: [{ name: 'nordic', when, serve: half }] };
  return { create: { flag: key }, target };
}

/** The n-th person, with six attributes. */
const person = (n) => ({
  context: {
    targetingKey: `user-${String(Math.imul(n, 2654435769) >>> 0).padStart(10, '0')}`,
    country: ['FI', 'SE', 'NO', 'DE', 'US', 'JP'][n % 6],
    plan: ['pro', 'pro', 'free'][n % 3],
    version: `${1 + (n % 3)}.${n % 13}.${n % 5}`,
    email: `user-${n}@example.com`,
    platform: ['ios', 'android', 'web'][n % 3],
    seats: 1 + (n % 500),
  },
});

/** A program of our own beside this one; `ask(message)` sends and resolves with its answer. */
function beside(file, args = []) {
  const child = fork(new URL(file, import.meta.url), args);
  const ask = async (message) => {
    const answered = once(child, 'message');
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${code}`);
    });
    ended.catch(() => {});
    child.send(message);
    const [answer] = await Promise.race([answered, ended]);
    if (answer.failure) throw new Error(`${file}: ${answer.failure}`);
    return answer;
  };
  return { ask, end: () => child.kill() };
}

/** A process's memory, in MB: what is resident, and the most that ever was. */
function memory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024 / 1e6;
  return { now: field('VmRSS'), most: field('VmHWM') };
}

/** Seconds of processor time that a process has used. */
function processor(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const whole = (n) => Math.round(n).toLocaleString('en-US');
const one = (n) => n.toLocaleString('en-US', { maximumFractionDigits: 1 });

async function requests(server) {
  const rows = [];
  const load = beside('./load.mjs');
  const bodies = Array.from({ length: 256 }, (_, n) => JSON.stringify(person(n)));
  const headers = { authorization: `Bearer ${server.keys.server}`, 'content-type': 'application/json' };
  const parts = [
    ['one flag', '/ofrep/v1/evaluate/flags/feature-0001', 1],
    ['one flag', '/ofrep/v1/evaluate/flags/feature-0001', 32],
    [`${FLAGS} flags in bulk`, '/ofrep/v1/evaluate/flags', 1],
    [`${FLAGS} flags in bulk`, '/ofrep/v1/evaluate/flags', 16],
  ];
  for (const [what, path, connections] of parts) {
    const run = { url: server.url + path, connections, headers, bodies };
    await load.ask({ ...run, seconds: 2 });
    const used = processor(server.child.pid);
    const result = await load.ask({ ...run, seconds });
    const each = ((processor(server.child.pid) - used) / result.total) * 1e6;
    rows.push([what, connections, whole(result.perSecond), one(result.p50), one(result.p99), whole(each), whole(result.bytes)]);
    console.log(rows.at(-1).join(' | '));
  }
  // What the generator and Node's HTTP take by themselves.
  const floor = beside('./floor.mjs');
  const { url } = await floor.ask({ bytes: 180 });
  const result = await load.ask({ url, connections: 32, headers, bodies, seconds });
  rows.push(['(Node answering a fixed text)', 32, whole(result.perSecond), one(result.p50), one(result.p99), '', whole(result.bytes)]);
  console.log(rows.at(-1).join(' | '));
  floor.end();
  load.end();
  return [
    '### Requests\n',
    '| asked for | connections | requests/s | p50, ms | p99, ms | server, µs of processor each | bytes of an answer |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

async function streams(server) {
  const { pid } = server.child;
  const before = memory(pid);
  const watch = beside('./clients.mjs');
  const bulk = await server.ask('/ofrep/v1/evaluate/flags', person(1), 'client');
  const path = bulk.eventStreams[0].endpoint.requestUri;
  const opened = await watch.ask({ open: clients, url: server.url, path });
  const connected = memory(pid);
  const [last, p99, median] = [[], [], []];
  for (let n = 0; n < toggles; n++) {
    await watch.ask({ arm: true });
    const at = performance.timeOrigin + performance.now();
    await server.toggle('feature-0000', n % 2 === 1);
    const { times } = await watch.ask({ wait: true });
    const delays = times.map((time) => time - at).sort((a, b) => a - b);
    last.push(delays.at(-1));
    p99.push(delays[Math.floor(delays.length * 0.99)]);
    median.push(delays[delays.length >> 1]);
    await new Promise((done) => setTimeout(done, 300));
  }
  const during = memory(pid);
  const sorted = (list) => [...list].sort((a, b) => a - b);
  const middle = (list) => one(sorted(list)[list.length >> 1]);
  const load = beside('./load.mjs');
  const bodies = Array.from({ length: 256 }, (_, n) => JSON.stringify(person(n)));
  const headers = { authorization: `Bearer ${server.keys.client}`, 'content-type': 'application/json' };
  const refetch = await load.ask({ url: `${server.url}/ofrep/v1/evaluate/flags`, connections: 64, headers, bodies, amount: clients });
  const rows = [
    ['clients connected', whole(clients), `in ${one(opened.seconds)} s`],
    [`from the toggle's request to the last client's notification, ms`, middle(last), `${toggles} toggles, slowest ${one(Math.max(...last))}`],
    ['the same to 99 % of the clients, ms', middle(p99), `slowest ${one(Math.max(...p99))}`],
    ['the same to half of the clients, ms', middle(median), `slowest ${one(Math.max(...median))}`],
    ['resident memory before, MB', one(before.now), ''],
    ['resident memory with all connected, MB', one(connected.now), ''],
    ['resident memory after the toggles, MB', one(during.now), `the most ever: ${one(during.most)}`],
    [`all ${whole(clients)} clients' refetch of ${FLAGS} flags, s`, one(refetch.seconds), `${whole(refetch.perSecond)}/s on 64 connections, with the streams open`],
  ];
  for (const row of rows) console.log(row.join(' | '));
  load.end();
  watch.end();
  const slowest = Math.max(...last);
  const met = (yes) => (yes ? 'met' : '**not met**');
  return [
    '### Streams\n',
    '| | median | |',
    '|---|---:|---|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
    `Aim: the last notification under 250 ms in every toggle, ${met(slowest < 250)}; under 300 MB resident, ${met(during.most < 300)}.`,
  ].join('\n');
}

const said = (program, ...args) => execFileSync(program, args, { cwd: root }).toString().trim();

async function main() {
  const endings = [];
  const t = { after: (end) => endings.push(end) };
  const sections = [];
  try {
    const server = await Server.start(t);
    for (let n = 0; n < FLAGS; n++) await make(server, flag(n));
    if (asked.only !== 'streams') sections.push(await requests(server));
    if (asked.only !== 'requests') sections.push(await streams(server));
  } finally {
    for (const end of endings.reverse()) await end();
  }
  const head = [
    `- Machine: ${cpus().length} cores of ${cpus()[0].model}, virtual and shared with other work; load ${loadavg()[0].toFixed(2)} at the end. Server, clients and load generator share the cores.`,
    `- Server: commit ${said('git', 'log', '-1', '--format=%h')}${said('git', 'status', '--porcelain', '--', 'crates', 'libs') ? ' with edits that are not committed' : ''}, \`${binary.slice(root.length + 1)}\` of ${said('date', '-u', '-r', binary, '+%F %H:%M')} UTC.`,
    `- ${FLAGS} flags, half of them a percentage and half three clauses and a percentage; contexts of six attributes.`,
    '- Command: `cd bench/ofrep && npm ci && node main.mjs --write`.',
    `- Date: ${said('date', '-u', '+%F')}.`,
  ].join('\n');
  if (!asked.write) return;
  const [begin, end] = ['<!-- ofrep: written by bench/ofrep -->\n', '<!-- ofrep: end -->\n'];
  const path = new URL('../RESULTS.md', import.meta.url);
  const old = readFileSync(path, 'utf8');
  const [before, rest] = old.split(begin);
  const [inside, after] = rest.split(end);
  const title = '### What the numbers of OFREP do not say';
  const notes = inside.split(title)[1] ?? '\n';
  writeFileSync(path, `${before}${begin}${head}\n\n${sections.join('\n\n')}\n\n${title}${notes}${end}${after}`);
}

await main();

//! Bench of endurance: a day of mixed load in minutes. The server's clock is advanced by hand, so that all that is due
//! in 24 hours is done; events come by the protocols of four makers, late ones and doubles among them; flags are
//! evaluated and switched, questions asked. It promises that no number is reported of a run in which an event was lost
//! or doubled, and ends with an error where anything that should be flat is not.
//!
//!     ./run                          builds the server; ten minutes, to the terminal
//!     ./run --write                  the same, and into ../RESULTS.md
//!     ./run --minutes 2 --events 1000000
//!
//! `BELLWETHER` names another binary.

import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { loadavg, cpus } from 'node:os';
import { gzipSync } from 'node:zlib';
import { DAY, Server, random, root } from '../../conformance/harness.mjs';

const asked = { minutes: 10, events: 4_000_000, write: false };
for (let words = process.argv.slice(2), word; (word = words.shift()) !== undefined;) {
  const name = word.replace(/^--/, '');
  if (!(name in asked)) throw new Error(`\`${word}\` is not known\nhint: see the opening of soak.mjs`);
  asked[name] = name === 'write' ? true : Number(words.shift());
  if (Number.isNaN(asked[name])) throw new Error(`\`${word}\` needs a number`);
}

/** The day before, whose events are there from the start: a question about it always has the same answer. */
const yesterday = Date.parse('2026-03-02T00:00:00Z');
const today = yesterday + DAY;
const before = 200_000;
/** People: what is known of them is in memory, so there are as many at the end as at the beginning. */
const people = 20_000;
/** Windows of the run, of which each half is looked at by itself. */
const windows = 20;
const wall = asked.minutes * 60_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const rand = random(20261127);
const pick = (list) => list[Math.floor(rand() * list.length)];
const names = ['Page Viewed', 'Searched', 'Added', 'Bought'];
const flags = Array.from({ length: 10 }, (_, n) => `soak-${n}`);

let made = 0;
/** The answer about the day before. */
let past;
/** Somebody's event at about a time of the server's clock: one in fifty up to half a day late. */
function event(now) {
  const n = made++;
  return {
    id: `event-${n}`,
    name: pick(names),
    user: `user-${Math.floor(rand() * people)}`,
    time: Math.floor(Math.max(today, now - (rand() < 0.02 ? rand() * DAY / 2 : rand() * 5_000))),
    properties: { price: Math.round(rand() * 10_000) / 100, plan: pick(['free', 'pro', 'team']), step: n % 7, title: `item ${n % 500}` },
  };
}

const post = (path, headers, body) => ({ path, headers, body });
const packed = (path, headers, body) => post(path, { ...headers, 'content-encoding': 'gzip' }, gzipSync(JSON.stringify(body), { level: 1 }));
const json = { 'content-type': 'application/json' };
const iso = (time) => new Date(time).toISOString();

/** How each maker's SDKs say the same. */
const protocols = [
  { size: 100, say: (key, events) => post('/2/httpapi', json, JSON.stringify({ api_key: key, events: events.map(amplitude) })) },
  { size: 1000, say: (key, events) => packed('/batch', json, { api_key: key, events: events.map(amplitude) }) },
  {
    size: 100,
    say: (key, events) => packed('/v1/batch', { ...json, authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` }, {
      batch: events.map(({ id, name, user, time, properties }) => ({
        type: 'track', messageId: id, userId: user, event: name, properties, timestamp: iso(time), context: { locale: 'fi-FI' },
      })),
    }),
  },
  {
    size: 100,
    say: (key, events) => packed('/batch/', json, {
      api_key: key,
      batch: events.map(({ id, name, user, time, properties }) => ({ event: name, distinct_id: user, uuid: id, timestamp: iso(time), properties })),
    }),
  },
  {
    size: 50,
    say(key, events) {
      const list = events.map(({ id, name, user, time, properties }) => ({
        event: name, properties: { token: key, distinct_id: user, $insert_id: id, time, ...properties },
      }));
      const data = encodeURIComponent(Buffer.from(JSON.stringify(list)).toString('base64'));
      return post('/track?verbose=1', { 'content-type': 'application/x-www-form-urlencoded' }, `data=${data}`);
    },
  },
];

function amplitude({ id, name, user, time, properties }) {
  return { event_type: name, user_id: user, insert_id: id, time, event_properties: properties, user_properties: { $set: { plan: properties.plan } } };
}

/** Counts what was done, and stops everything at the first thing that went wrong. */
const done = { events: 0, doubles: 0, refused: 0, evaluations: 0, toggles: 0, questions: 0 };
let failed;
const fail = (error) => (failed ??= error);

async function deliver(server, { path, headers, body }) {
  for (;;) {
    const reply = await fetch(server.url + path, { method: 'POST', headers, body });
    const text = await reply.text();
    if (reply.status === 200) return;
    if (reply.status !== 429) throw new Error(`${path}: ${reply.status} ${text}`);
    done.refused += 1;
    await sleep(1000 * Number(reply.headers.get('retry-after')));
  }
}

async function question(server, day) {
  const date = iso(day).slice(0, 10);
  const began = performance.now();
  const { series } = await server.call('POST', '/api/query/segmentation', {
    environment: server.environment, event: 'Bought', measure: 'uniques', by: 'plan', from: date, to: date,
  });
  const took = performance.now() - began;
  done.questions += 1;
  if (day === yesterday) {
    const answer = JSON.stringify(series);
    past ??= answer;
    if (answer !== past) throw new Error(`the day before became another: ${past} and then ${answer}`);
  }
  return took;
}

/** What the system says of the server's process, and the server of itself. */
async function sample(server) {
  const { pid } = server.child;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name) => Number(status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]) * 1024 / 1e6;
  const { parts, events, bytes } = await server.get('/api/status');
  const handles = readdirSync(`/proc/${pid}/fd`).length;
  return { resident: megabytes('VmRSS'), own: megabytes('RssAnon'), handles, parts, events, disk: bytes / 1e6 };
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor((list.length - 1) / 2)];

/** The median of the slopes between all pairs (Theil and Sen), for each window. */
function slope(values) {
  const slopes = values.flatMap((y, i) => values.slice(i + 1).map((z, k) => (z - y) / (k + 1)));
  return median(slopes);
}

/**
 * What must be flat: over the second half it may grow by this share of what it was in the middle of that half, or by so
 * much, whichever is more.
 */
const flat = [
  { name: 'resident', said: 'resident memory, MB', share: 0.1, much: 8 },
  { name: 'own', said: 'of it not of files, MB', share: 0.1, much: 8 },
  { name: 'handles', said: 'file handles', share: 0.1, much: 8 },
  { name: 'parts', said: 'parts', share: 0.25, much: 8 },
  { name: 'past', said: 'question about the day before, ms', share: 0.25, much: 5 },
];
/** What is told beside it: it grows with what it reads. */
const grows = [{ name: 'present', said: 'question about today, ms' }];

async function soak(server) {
  for (const flag of flags) {
    await server.post('/api/flags', { flag });
    const shares = [{ variant: 'on', share: 5_000 }, { variant: 'off', share: 5_000 }];
    await server.put(`/api/flags/${flag}/targeting`, { environment: server.environment, default: { serve: 'split', shares } });
    await server.toggle(flag, true);
  }
  const key = server.keys.client;
  for (let sent = 0; sent < before; sent += 1000) {
    const events = Array.from({ length: 1000 }, () => ({ ...event(today), time: yesterday + Math.floor(rand() * DAY / 2) }));
    await deliver(server, protocols[1].say(key, events));
  }
  await server.advance(today);

  const began = performance.now();
  const elapsed = () => performance.now() - began;
  const over = () => failed !== undefined || elapsed() >= wall;
  const clock = () => today + Math.min(1, elapsed() / wall) * (DAY - 1);
  const loop = (work) => (async () => {
    while (!over()) await work();
  })().catch(fail);
  const series = Array.from({ length: windows }, () => ({ resident: [], own: [], handles: [], parts: [], past: [], present: [], events: [], disk: [] }));
  const here = () => series[Math.min(windows - 1, Math.floor(elapsed() / wall * windows))];
  const paced = { events: 0 };
  const sender = () => loop(async () => {
    const due = asked.events * elapsed() / wall - paced.events;
    if (due <= 0) return sleep(5);
    const { size, say } = pick(protocols);
    const events = Array.from({ length: size }, () => event(clock()));
    paced.events += size;
    const request = say(key, events);
    await deliver(server, request);
    done.events += size;
    // One in twenty is sent again, as by a client that lost the answer.
    if (rand() < 0.05) {
      await deliver(server, request);
      done.doubles += size;
    }
  });
  await Promise.all([
    ...Array.from({ length: 4 }, sender),
    loop(async () => {
      await server.advance(Math.floor(clock()));
      await sleep(250);
    }),
    loop(async () => {
      await server.ask(`/ofrep/v1/evaluate/flags/${pick(flags)}`, { context: { targetingKey: `user-${Math.floor(rand() * people)}` } });
      done.evaluations += 1;
      await sleep(10);
    }),
    loop(async () => {
      await sleep(wall / 144);
      await server.toggle(flags[0], done.toggles++ % 2 === 1);
    }),
    loop(async () => {
      const now = await sample(server);
      for (const [name, value] of Object.entries(now)) here()[name].push(value);
      here().past.push(await question(server, yesterday));
      here().present.push(await question(server, today));
      await sleep(Math.min(1000, wall / windows / 10));
    }),
  ]);
  if (failed) throw failed;
  await server.advance(today + DAY - 1);
  const took = elapsed();

  // All days and all types of events.
  const counted = await server.call('POST', '/api/query/segmentation', {
    environment: server.environment, event: '_any', from: iso(yesterday - DAY).slice(0, 10), to: iso(today + DAY).slice(0, 10),
  });
  const stored = counted.series.reduce((sum, { total }) => sum + total, 0);
  if (stored !== done.events + before) throw new Error(`${stored} events are stored of ${done.events + before} that were acknowledged`);
  const rows = series.map((window) => Object.fromEntries(Object.entries(window).map(([name, all]) => [name, median(all)])));
  return { rows, took };
}

function judged(rows) {
  const half = rows.slice(rows.length / 2);
  return flat.map(({ name, said, share, much }) => {
    const of = (list) => median(list.map((row) => row[name]));
    const growth = slope(half.map((row) => row[name])) * (half.length - 1);
    const allowed = Math.max(share * of(half), much);
    return { said, first: of(rows.slice(0, rows.length / 2)), second: of(half), growth, allowed, met: growth <= allowed };
  });
}

const whole = (n) => Math.round(n).toLocaleString('en-US');
const fine = (n) => (Math.abs(n) < 100 ? n.toFixed(1) : whole(n));
const table = (head, rows) => [head, head.map((_, n) => (n ? '---:' : '---')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const said = (...words) => execFileSync(words[0], words.slice(1), { cwd: root, encoding: 'utf8' }).trim();

function report({ rows, took }, verdicts, load) {
  const hours = 24 / windows;
  const edited = said('git', 'status', '--porcelain', '--', 'crates', 'libs', 'Cargo.lock') ? ' with edits that are not committed' : '';
  return [
    `- Machine: ${cpus().length} cores of ${cpus()[0].model.trim()}, virtual and shared with other work; load ${load} before, ${loadavg()[0].toFixed(2)} after. The senders share the cores.`,
    `- Server: \`crates\` and \`libs\` at commit ${said('git', 'log', '-1', '--format=%h', '--', 'crates', 'libs', 'Cargo.lock')}${edited}.`,
    `- Command: \`bench/soak/run --write\`${asked.minutes === 10 ? '' : `, with \`--minutes ${asked.minutes} --events ${asked.events}\``}.`,
    `- Date: ${new Date().toISOString().slice(0, 10)}.`,
    '',
    `24 hours in ${whole(took / 1000)} s: ${whole(done.events)} events of ${whole(people)} people by five protocols (${whole(done.events / took * 1000)} each second), ` +
      `${whole(done.doubles)} sent twice, one in fifty up to twelve hours late; ${whole(done.evaluations)} evaluations, ${whole(done.toggles)} switches of flags, ` +
      `${whole(done.questions)} questions; ${whole(done.refused)} requests were told to wait. At the end every event was there once.`,
    '',
    table(['', 'first half', 'second half', 'growth over the second half', 'at most', ''],
      verdicts.map(({ said, first, second, growth, allowed, met }) => [said, fine(first), fine(second), fine(growth), fine(allowed), met ? 'flat' : '**not flat**'])),
    '',
    'Halves are the medians of their windows; growth is the median slope between all pairs of windows (Theil and Sen), over the half.',
    '',
    table(['hour', 'events', 'on disk, MB', ...[...flat, ...grows].map(({ said }) => said)],
      rows.map((row, n) => [(n * hours).toFixed(1), whole(row.events), fine(row.disk), ...[...flat, ...grows].map(({ name }) => fine(row[name]))])),
    '',
  ].join('\n');
}

function write(text) {
  const [BEGIN, END] = ['<!-- soak: written by bench/soak -->\n', '<!-- soak: end -->\n'];
  const path = new URL('../RESULTS.md', import.meta.url);
  const old = readFileSync(path, 'utf8');
  const [head, rest] = old.split(BEGIN);
  const tail = rest?.split(END)[1];
  if (tail === undefined) throw new Error('RESULTS.md has no part for the soak');
  writeFileSync(path, `${head}${BEGIN}${text}${END}${tail}`);
}

const ends = [];
try {
  const load = loadavg()[0].toFixed(2);
  const server = await Server.start({ after: (end) => ends.push(end) }, { clock: yesterday + DAY / 2 });
  const run = await soak(server);
  const verdicts = judged(run.rows);
  const text = report(run, verdicts, load);
  console.log(text);
  if (asked.write) write(text);
  if (verdicts.some(({ met }) => !met)) process.exitCode = 1;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const end of ends) await end();
}

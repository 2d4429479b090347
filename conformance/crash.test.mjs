//! Conformance: `kill -9` while the official SDKs send. What an SDK was told is stored is there exactly once after
//! the kill and for ever; everything else at most once, however often the SDKs and their programs send it again.

import assert from 'node:assert/strict';
import test from 'node:test';
import { createInstance } from '@amplitude/analytics-node';
import { Analytics } from '@segment/analytics-node';
import mixpanelModule from 'mixpanel';
import { PostHog } from 'posthog-node';
import { Server, count, fact, random, until } from './harness.mjs';
import { totals } from './queries.mjs';

const kills = count(1000);
/** After so many kills all that is still on its way is waited for, and everything is looked at once more. */
const era = 50;
/** The most events of one sender between two kills: an answer names a thousand values. */
const most = 40;

/**
 * The senders. Each is an application with an SDK as its documentation says to set it up, but for how soon events
 * leave: `send` hands it events, and the SDK itself tries again what it got no answer to. `heard` is called with the
 * ids that the SDK says were delivered, `lost` with those that it gave up.
 */
const senders = {
  async 'Amplitude Node'(server, heard, lost) {
    const client = createInstance();
    const options = { serverUrl: `${server.url}/2/httpapi`, flushIntervalMillis: 5, logLevel: 0 };
    await client.init(server.keys.client, options).promise;
    return {
      send: (events) => Promise.all(events.map(async ({ id, type }) => {
        const { code } = await client.track(type, { id }, { user_id: `user ${id}`, insert_id: id }).promise;
        (code === 200 ? heard : lost)([id]);
      })),
      end: () => client.flush().promise,
    };
  },
  async 'Segment Node'(server, heard, lost) {
    const client = new Analytics({ writeKey: server.keys.client, host: server.url, flushInterval: 5 });
    // A callback of `track` is called 300 ms later, these at once.
    const waiting = new Map();
    const settled = (tell) => (ctx) => {
      const { messageId } = ctx.event;
      tell([messageId]);
      waiting.get(messageId)?.();
      waiting.delete(messageId);
    };
    client.on('track', settled(heard));
    client.on('error', ({ ctx }) => settled(lost)(ctx));
    const track = ({ id, type }) => new Promise((done) => {
      waiting.set(id, done);
      client.track({ userId: `user ${id}`, messageId: id, event: type, properties: { id } });
    });
    return { send: (events) => Promise.all(events.map(track)), end: () => client.closeAndFlush() };
  },
  'PostHog Node': (server, heard) => postHog(server, heard, 'v0'),
  'PostHog Node, capture V1': (server, heard) => postHog(server, heard, 'v1'),
  /** Tries nothing again by itself. */
  async 'Mixpanel Node'(server, heard, lost) {
    const { host } = new URL(server.url);
    const client = mixpanelModule.init(server.keys.client, { host, protocol: 'http' });
    const track = (events) => new Promise((done) => {
      const batch = events.map(({ id, type }) => ({ event: type, properties: { distinct_id: `user ${id}`, $insert_id: id, id } }));
      client.track_batch(batch, (errors) => done((errors?.length ? lost : heard)(events.map(({ id }) => id))));
    });
    return { send: track, end: () => {} };
  },
};

async function postHog(server, heard, mode) {
  process.env.POSTHOG_CAPTURE_MODE = mode;
  // A flush that failed keeps its events for the next one.
  const client = new PostHog(server.keys.client, { host: server.url, flushInterval: 5, fetchRetryDelay: 50 });
  delete process.env.POSTHOG_CAPTURE_MODE;
  client.on('error', () => {});
  client.on('flush', (messages) => heard(messages.map(({ properties }) => properties.id)));
  return {
    async send(events) {
      for (const { id, type } of events) client.capture({ distinctId: `user ${id}`, event: type, properties: { id } });
      await client.flush().catch(() => {});
    },
    end: () => client.shutdown(),
  };
}

test(`${kills} kills while SDKs send lose nothing that was acknowledged and double nothing`, async (t) => {
  const rand = random(20261122);
  const server = await Server.start(t);
  const listen = new URL(server.url).host;
  /** What became of the events of each sender, by the ids of one round. */
  const rounds = [];
  const clients = [];
  const seen = Object.fromEntries(Object.keys(senders).map((name) => [name, { sent: 0, beforeKill: 0, again: 0 }]));

  /** Everything that was acknowledged is there once, everything else at most once. */
  const check = async ({ type, events }, when) => {
    const acknowledged = [...events].filter(([, event]) => event.acknowledged).map(([id]) => id);
    const found = await totals(server, { event: type, by: 'id' });
    for (const id of acknowledged) assert.equal(found.get(id)?.total ?? 0, 1, `${id}, acknowledged, ${when}`);
    // Totals and users are two questions, and between them SDKs may have sent more.
    for (const [id, { total = 1, users = 1 }] of found) {
      assert.ok(events.has(id), `nobody sent ${id}`);
      assert.deepEqual([total, users], [1, 1], `${id}, ${when}`);
    }
  };

  /** Each event reaches its end: the SDKs try again, and what they gave up their programs send anew. */
  const settle = async () => {
    const open = () => rounds.flatMap(({ events }) => [...events.values()]).filter((event) => !event.acknowledged && !event.lost);
    const nudge = () => Promise.all(clients.map((client) => client.send([])));
    await until(async () => (await nudge(), open()), (left) => left.length === 0, 120_000);
    const lost = rounds.flatMap(({ events }) => [...events.values()]).filter((event) => !event.acknowledged);
    for (const name of Object.keys(senders)) {
      const events = lost.filter(({ sender }) => sender === name);
      seen[name].again += events.length;
      const said = new Set();
      const client = await senders[name](server, (ids) => ids.forEach((id) => said.add(id)), () => {});
      for (let at = 0; at < events.length; at += most) await client.send(events.slice(at, at + most));
      await until(() => events.every(({ id }) => said.has(id)));
      for (const event of events) event.acknowledged = true;
      await client.end();
    }
    for (const round of rounds) await check(round, 'at the end');
    for (const client of clients.splice(0)) await client.end();
    rounds.length = 0;
  };

  for (let n = 0; n < kills; n++) {
    const round = { type: `round ${n}`, events: new Map() };
    rounds.push(round);
    const { events } = round;
    let dead = false;
    const work = async ([name, start]) => {
      const heard = (ids) => ids.forEach((id) => (events.get(id).acknowledged = true));
      const lost = (ids) => ids.forEach((id) => (events.get(id).lost = true));
      const client = await start(server, heard, lost);
      clients.push(client);
      for (let sent = 0; !dead && sent < most;) {
        const burst = Array.from({ length: 1 + Math.floor(rand() * Math.min(20, most - sent)) }, (_, i) => {
          const id = `${n}.${name}.${sent + i}`;
          return { id, type: round.type, sender: name, acknowledged: false };
        });
        for (const event of burst) events.set(event.id, event);
        sent += burst.length;
        seen[name].sent += burst.length;
        await Promise.race([client.send(burst), killed]);
      }
    };
    let kill;
    const killed = new Promise((done) => (kill = done));
    const working = Object.entries(senders).map(work);
    await new Promise((done) => setTimeout(done, 20 + rand() * 150));
    dead = true;
    await server.end('SIGKILL');
    kill();
    await Promise.all(working);
    for (const event of events.values()) {
      if (event.acknowledged) seen[event.sender].beforeKill += 1;
      // Its SDK may have lost the answer and not say so.
      else if (event.sender === 'Mixpanel Node') event.lost = true;
    }
    await server.open({ listen });
    await check(round, `after kill ${n}`);
    if (rounds.length === era || n === kills - 1) await settle();
  }
  for (const [name, { sent, beforeKill, again }] of Object.entries(seen)) {
    assert.ok(beforeKill > 0 && beforeKill < sent, `${name} was never killed at work: ${JSON.stringify(seen[name])}`);
    fact('kill -9', `${name}, ${kills} kills: ${sent} events sent, ${beforeKill} of them acknowledged before a kill, ` +
      `${again} given up by the SDK and sent anew by their program; each is there exactly once`);
  }
});

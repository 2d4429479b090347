//! Conformance: events by the protocols of Segment, RudderStack, PostHog and Mixpanel: what their official Node
//! SDKs send arrives, about the right people, and an SDK hears of what was not taken.

import assert from 'node:assert/strict';
import test from 'node:test';
import { promisify } from 'node:util';
import { Analytics } from '@segment/analytics-node';
import Rudder from '@rudderstack/rudder-sdk-node';
import mixpanelModule from 'mixpanel';
import { PostHog } from 'posthog-node';
import { Server, atEnd, until } from './harness.mjs';
import { total, totals } from './queries.mjs';

/** The stored events in their order, once there are so many. */
async function stored(server, count) {
  const found = await until(
    () => server.get(`/api/events/recent?environment=${server.environment}&limit=100`),
    ({ events }) => events.length >= count,
  );
  assert.equal(found.events.length, count, JSON.stringify(found.events, null, 1));
  return found.events.reverse();
}

/** What of an event says who did what. */
const gist = ({ event, who, properties = {}, groups = {}, user_properties: known = {} }) => ({ event, who, properties, groups, known });
const people = (server, event) => totals(server, { event }).then((found) => found.get(null)?.users ?? 0);

test('Segment: the Node SDK delivers each kind of message', async (t) => {
  const server = await Server.start(t);
  const analytics = new Analytics({ writeKey: server.keys.client, host: server.url, flushAt: 10, flushInterval: 50 });
  const errors = [];
  analytics.on('error', (error) => errors.push(error));
  const wait = (call, message) => new Promise((done) => analytics[call](message, done));
  // An anonymous visitor signs in, and what they did before is theirs.
  await wait('track', { anonymousId: 'anon-1', event: 'Visited' });
  await wait('identify', { userId: 'user-1', anonymousId: 'anon-1', traits: { plan: 'pro' } });
  await wait('group', { userId: 'user-1', groupId: 'acme', traits: { tier: 'gold' } });
  await wait('track', { userId: 'user-1', event: 'Bought', properties: { price: 9.5 }, context: { groupId: 'acme' } });
  await wait('page', { userId: 'user-1', name: 'Home', properties: { url: 'https://x' } });
  await wait('screen', { userId: 'user-1', name: 'Main' });
  await wait('alias', { userId: 'user-1', previousId: 'anon-2' });
  await analytics.closeAndFlush();
  assert.deepEqual(errors, []);
  const events = await stored(server, 7);
  assert.deepEqual(events.map((e) => e.event), [
    'Visited', '$identify', '$groupidentify', 'Bought', 'Page Viewed', 'Screen Viewed', '$create_alias',
  ]);
  const bought = gist(events[3]);
  assert.deepEqual(bought.who, { user: 'user-1' });
  assert.deepEqual(bought.properties, { price: 9.5 });
  assert.deepEqual(bought.groups, { group: 'acme' });
  assert.equal(bought.known.plan, 'pro');
  assert.match(bought.known.library, /^@segment\/analytics-node\//);
  assert.deepEqual(events[3].group_properties, { group: { acme: { tier: 'gold' } } });
  assert.deepEqual(events[6].who, { both: { user: 'user-1', device: 'anon-2' } });
  assert.ok(Math.abs(events[3].time - Date.now()) < 60_000);
  assert.equal(await people(server, '_any'), 1, 'the visitor is the user');
});

test('Segment: an unknown write key is an error of the SDK', async (t) => {
  const server = await Server.start(t);
  const analytics = new Analytics({ writeKey: 'nobody', host: server.url, flushInterval: 10, maxRetries: 0 });
  const error = new Promise((heard) => analytics.on('error', heard));
  analytics.track({ userId: 'user-1', event: 'Bought' });
  assert.match(JSON.stringify((await error).reason?.message ?? String((await error).reason)), /401/);
  await analytics.closeAndFlush();
  assert.equal(await total(server, '_any'), 0);
});

test('RudderStack: the Node SDK delivers, gzipped as a form', async (t) => {
  const server = await Server.start(t);
  const rudder = new Rudder(server.keys.client, { dataPlaneUrl: server.url, flushAt: 20, flushInterval: 50 });
  rudder.identify({ userId: 'user-1', traits: { plan: 'pro' } });
  rudder.track({ userId: 'user-1', event: 'Bought', properties: { price: 9.5 } });
  rudder.page({ userId: 'user-1', name: 'Home' });
  await promisify((done) => rudder.flush((error) => done(error)))();
  const events = await stored(server, 3);
  const byName = Object.fromEntries(events.map((e) => [e.event, gist(e)]));
  assert.deepEqual(Object.keys(byName).sort(), ['$identify', 'Bought', 'Page Viewed']);
  assert.equal(byName.Bought.properties.price, 9.5);
  assert.equal(byName.Bought.known.plan, 'pro');
  assert.match(byName.Bought.known.library, /^analytics-node\//);
});

async function posthog(t, options = {}) {
  const server = await Server.start(t);
  const errors = [];
  const client = new PostHog(server.keys.client, { host: server.url, flushAt: 20, flushInterval: 60_000, ...options });
  client.on('error', (error) => errors.push(error));
  return { server, client, errors };
}

for (const mode of ['v0', 'v1']) {
  test(`PostHog: the Node SDK delivers by capture ${mode}`, async (t) => {
    process.env.POSTHOG_CAPTURE_MODE = mode;
    atEnd(t, () => delete process.env.POSTHOG_CAPTURE_MODE);
    const { server, client, errors } = await posthog(t);
    client.capture({ distinctId: 'user-1', event: 'Bought', properties: { price: 9.5 }, groups: { company: 'acme' } });
    client.identify({ distinctId: 'user-1', properties: { $set: { plan: 'pro' }, $set_once: { first: 1 } } });
    client.alias({ distinctId: 'user-1', alias: 'anon-1' });
    client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { tier: 'gold' } });
    await client.flush();
    client.capture({ distinctId: 'user-1', event: 'Bought again', groups: { company: 'acme' } });
    await client.shutdown();
    assert.deepEqual(errors, []);
    const events = await stored(server, 5);
    const again = events.find((e) => e.event === 'Bought again');
    assert.deepEqual(again.who, { user: 'user-1' });
    assert.equal(again.user_properties.plan, 'pro');
    assert.deepEqual(again.group_properties, { company: { acme: { tier: 'gold' } } });
    assert.deepEqual(events.find((e) => e.event === '$create_alias').who, { both: { user: 'user-1', device: 'anon-1' } });
    assert.equal(await people(server, '_any'), 1);
  });
}

test('PostHog: capture v1 hears which event was dropped, and why', async (t) => {
  process.env.POSTHOG_CAPTURE_MODE = 'v1';
  atEnd(t, () => delete process.env.POSTHOG_CAPTURE_MODE);
  const { server, client, errors } = await posthog(t);
  client.capture({ distinctId: 'user-1', event: 'Good' });
  client.capture({ distinctId: 'anonymous', event: 'Bad' });
  await client.flush().catch(() => {});
  await client.shutdown();
  assert.equal((await stored(server, 1))[0].event, 'Good');
  assert.equal(errors.length, 1);
  assert.match(JSON.stringify(errors[0].drops), /placeholder/);
});

test('Mixpanel: the Node SDK delivers events, people and groups', async (t) => {
  const server = await Server.start(t);
  const { host } = new URL(server.url);
  const mixpanel = mixpanelModule.init(server.keys.client, { host, protocol: 'http', keepAlive: false });
  const did = (of, call, ...args) => promisify(of[call].bind(of))(...args);
  await did(mixpanel.people, 'set', 'user-1', { plan: 'pro', n: 1 });
  await did(mixpanel.people, 'set_once', 'user-1', { plan: 'free', first: 'a' });
  await did(mixpanel.people, 'increment', 'user-1', 'n', 2);
  await did(mixpanel.people, 'append', 'user-1', { list: 'a' });
  await did(mixpanel.people, 'union', 'user-1', { list: ['a', 'b'] });
  await did(mixpanel.people, 'unset', 'user-1', 'first');
  await did(mixpanel.groups, 'set', 'company', 'acme', { tier: 'gold' });
  await did(mixpanel, 'track', 'Bought', { distinct_id: 'user-1', price: 9.5 });
  await did(mixpanel, 'alias', 'user-1', 'anon-1');
  await promisify(mixpanel.track_batch.bind(mixpanel))([
    { event: 'A', properties: { distinct_id: 'user-1', time: new Date() } },
    { event: 'B', properties: { distinct_id: 'user-1', time: new Date() } },
  ]);
  const events = await stored(server, 11);
  const bought = gist(events.find((e) => e.event === 'Bought'));
  assert.deepEqual(bought.who, { user: 'user-1' });
  const { library, ...known } = bought.known;
  assert.deepEqual(known, { plan: 'pro', n: 3, list: ['a', 'b'] });
  assert.match(library, /^node\//);
  assert.deepEqual(events.find((e) => e.event === '$create_alias').who, { both: { user: 'user-1', device: 'anon-1' } });
  for (const event of ['A', 'B']) assert.equal(await total(server, event), 1);
});

test('Mixpanel: what is not taken is an error of the SDK', async (t) => {
  const server = await Server.start(t);
  const { host } = new URL(server.url);
  for (const verbose of [false, true]) {
    const settings = { host, protocol: 'http', keepAlive: false, verbose };
    const track = (token, properties) => {
      const mixpanel = mixpanelModule.init(token, settings);
      return promisify(mixpanel.track.bind(mixpanel))('Bought', properties);
    };
    await assert.rejects(track('nobody', { distinct_id: 'user-1' }), /Mixpanel Server Error/);
    await assert.rejects(track(server.keys.client, { distinct_id: 'anonymous' }), verbose ? /placeholder/ : /Error: 0/);
    await track(server.keys.client, { distinct_id: 'user-1' });
  }
  assert.equal(await total(server, 'Bought'), 2);
});

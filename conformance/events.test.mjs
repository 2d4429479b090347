//! Conformance: events by the Amplitude protocol: what its official Node SDK sends arrives, what was
//! recorded from the SDKs is taken, and bad input gets the protocol's own error and stores nothing.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { Identify, Revenue } from '@amplitude/analytics-node';
import { MINUTE, Server, fact, sharedFile, until } from './harness.mjs';
import { total, totals } from './queries.mjs';
import { amplitudeAnalytics } from './sdk.mjs';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Posts a body as it is; the reply's `code` must be its HTTP status, which the Python SDK relies on. */
async function post(server, body, { path = '/2/httpapi', headers = JSON_TYPE } = {}) {
  const reply = await fetch(server.url + path, { method: 'POST', headers, body });
  assert.match(reply.headers.get('content-type'), /^application\/json/);
  const answer = await reply.json();
  assert.equal(answer.code, reply.status, JSON.stringify(answer));
  return answer;
}

const events = (server, ...list) => JSON.stringify({ api_key: server.keys.client, events: list });

test('the Node SDK delivers events, properties, identities, groups and revenue', async (t) => {
  const server = await Server.start(t);
  const amplitude = await amplitudeAnalytics(server);
  const sent = [
    amplitude.track('Song Played', { title: 'α✓', length: 201.5, live: true }, { user_id: 'user-1' }),
    amplitude.track('Song Played', { title: 'β' }, { user_id: 'user-2', device_id: 'device-2' }),
    amplitude.track('Song Played', { title: 'β' }, { device_id: 'device-3' }),
    amplitude.identify(new Identify().set('plan', 'pro').add('logins', 1), { user_id: 'user-1' }),
    amplitude.setGroup('org', 'acme', { user_id: 'user-1' }),
    amplitude.revenue(new Revenue().setPrice(9.5).setQuantity(2), { user_id: 'user-1' }),
  ];
  await amplitude.flush().promise;
  for (const result of await Promise.all(sent.map((s) => s.promise))) assert.equal(result.code, 200, result.message);

  assert.equal(await total(server, 'Song Played'), 3);
  const titles = await totals(server, { event: 'Song Played', by: 'title' });
  assert.deepEqual(Object.fromEntries(titles), { 'α✓': { total: 1, users: 1 }, β: { total: 2, users: 2 } });
  assert.equal(await total(server, '$identify'), 2);
  assert.equal(await total(server, 'revenue_amount'), 1);
});

test('the Node SDK drops what a 400 lists and sends the rest again', async (t) => {
  const server = await Server.start(t);
  const amplitude = await amplitudeAnalytics(server, { flushIntervalMillis: 20 });
  const good = amplitude.track('Opened', { n: 1 }, { user_id: 'user-1' });
  const bad = amplitude.track('Opened', { n: 2 }, { user_id: 'user-1', time: '2026-11-22T10:00:00Z' });
  const alsoGood = amplitude.track('Opened', { n: 3 }, { user_id: 'user-1' });
  assert.deepEqual((await Promise.all([good, bad, alsoGood].map((s) => s.promise))).map((r) => r.code), [200, 400, 200]);
  assert.deepEqual([...(await totals(server, { event: 'Opened', by: 'n' })).keys()].sort(), ['1', '3']);
});

test('the Node SDK waits with all that a 429 refuses and delivers it then, whoever was past its rate', async (t) => {
  const server = await Server.start(t, { clock: Date.UTC(2026, 8, 21) });
  const held = { name: 'held', scope: 'client', environment: server.environment, events_per_second: 1 };
  server.keys.held = (await server.call('POST', '/api/keys', held)).secret;
  const some = Array.from({ length: 30 }, (_, i) => ({ event_type: 'Before', user_id: `user-${i}` }));
  assert.equal((await post(server, JSON.stringify({ api_key: server.keys.held, events: some }))).code, 200);

  // It gives up what was refused three times, and what it is not told to wait with it sends again at once. Its half minute
  // is a second here.
  let refused = 0;
  const later = globalThis.setTimeout;
  t.mock.method(globalThis, 'setTimeout', (f, ms, ...rest) => later(f, ms === 30_000 ? 1_000 : ms, ...rest));
  const loggerProvider = { enable() {}, disable() {}, log() {}, debug() {}, error() {}, warn: () => (refused += 1) };
  const options = { scope: 'held', flushIntervalMillis: 1, flushMaxRetries: 3, loggerProvider };
  const amplitude = await amplitudeAnalytics(server, options);
  const sent = Array.from({ length: 20 }, (_, i) => amplitude.track('Waited', { n: i }, { user_id: `user-${i}` }));
  await until(() => refused > 0);
  await server.advance(Date.UTC(2026, 8, 21) + MINUTE);
  for (const result of await Promise.all(sent.map((s) => s.promise))) assert.equal(result.code, 200, result.message);
  assert.equal(refused, 1);
});

test('a text that was cut within a character loses that character and no event', async (t) => {
  const server = await Server.start(t);
  const amplitude = await amplitudeAnalytics(server);
  const note = 'Great product 😀'.slice(0, 15);
  assert.ok(JSON.stringify(note).endsWith('\\ud83d"'), 'the SDK sends half a character');
  const good = Array.from({ length: 9 }, (_, i) => amplitude.track('Reviewed', { note: `fine ${i}` }, { user_id: `user-${i}` }));
  const cut = amplitude.track('Reviewed', { note, literal: '\\ud83d' }, { user_id: 'user-cut' });
  await amplitude.flush().promise;
  for (const result of await Promise.all([...good, cut].map((s) => s.promise))) assert.equal(result.code, 200, result.message);
  const notes = await totals(server, { event: 'Reviewed', by: 'note' });
  assert.equal(await total(server, 'Reviewed'), 10);
  assert.deepEqual(notes.get('Great product \ufffd'), { total: 1, users: 1 });
  assert.ok((await totals(server, { event: 'Reviewed', by: 'literal' })).has('\\ud83d'), 'an escaped backslash begins no escape');
});

test('a gzip body is read, and an insert_id counts once', async (t) => {
  const server = await Server.start(t);
  const event = (id, extra) => ({ event_type: 'Opened', user_id: 'user-1', insert_id: id, ...extra });
  const zipped = gzipSync(events(server, event('a'), event('b')));
  const answer = await post(server, zipped, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } });
  assert.equal(answer.events_ingested, 2);
  assert.equal(typeof answer.payload_size_bytes, 'number');
  assert.ok(Math.abs(answer.server_upload_time - Date.now()) < 60_000);
  for (const path of ['/2/httpapi', '/batch']) {
    await post(server, events(server, event('a'), event('c'), event('c')), { path });
  }
  await post(server, events(server, event('a', { user_id: 'user-2' })));
  assert.equal(await total(server, 'Opened'), 4, 'a, b and c once, and `a` of another user');
  // The body decides what it is, whatever the header says: sendBeacon sends text.
  await post(server, events(server, event('d')), { headers: { 'content-type': 'text/plain' } });
  assert.equal(await total(server, 'Opened'), 5);
});

test('bad input gets the error that the protocol has for it, and nothing is stored', async (t) => {
  const server = await Server.start(t);
  const good = { event_type: 'Opened', user_id: 'user-1' };
  const withKey = (body) => JSON.stringify({ api_key: server.keys.client, ...body });
  const check = async (name, body, wanted, options) => {
    await t.test(name, async () => {
      const answer = await post(server, body, options);
      for (const [field, value] of Object.entries(wanted)) {
        if (value instanceof RegExp) assert.match(answer[field], value);
        else assert.deepEqual(answer[field], value, JSON.stringify(answer));
      }
      assert.equal(await total(server, '_any'), 0, 'nothing is stored');
    });
  };
  await check('no body', '', { code: 400, error: /^Missing request body/ });
  await check('malformed JSON', '{"api_key":', { code: 400, error: /^Invalid JSON request body/ });
  await check('not an object', '[1]', { code: 400, error: /^Invalid JSON request body/ });
  await check('bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe]), { code: 400, error: /^Invalid JSON request body/ });
  await check('gzip that is none', events(server, good), { code: 400 }, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } });
  await check('an encoding that nobody knows', events(server, good), { code: 400 }, { headers: { ...JSON_TYPE, 'content-encoding': 'br' } });
  await check('no key', JSON.stringify({ events: [good] }), { code: 400, error: /^Request missing required field/, missing_field: 'api_key' });
  await check('an unknown key', JSON.stringify({ api_key: 'nobody', events: [good] }), { code: 400, error: /^Invalid API key/ });
  await check('no events', withKey({}), { code: 400, error: /^Request missing required field/, missing_field: 'events' });
  await check('events of the wrong type', withKey({ events: 'Opened' }), { code: 400 });
  await check('an event that is none', withKey({ events: [good, 7] }), { code: 400, error: /^Invalid event JSON/ });
  await check('an event without a type', withKey({ events: [good, { user_id: 'user-1' }, { ...good, event_type: '' }] }), {
    code: 400, error: /^Invalid field values/, events_with_missing_fields: { event_type: [1] }, events_with_invalid_fields: { event_type: [2] },
  });
  await check('times that are no milliseconds', withKey({ events: [{ ...good, time: '2026-01-01' }, good, { ...good, time: {} }] }), {
    code: 400, error: /^Invalid field values on some events/, events_with_invalid_fields: { time: [0, 2] },
  });
  await check('properties of the wrong type', withKey({ events: [{ ...good, event_properties: 'x' }] }), {
    code: 400, events_with_invalid_fields: { event_properties: [0] },
  });
  await check('nobody did it', withKey({ events: [good, { event_type: 'Opened' }] }), { code: 400 });
  for (const user_id of ['anonymous', 'null', '00000000-0000-0000-0000-000000000000']) {
    await check(`the id ${user_id}`, withKey({ events: [{ event_type: 'Opened', user_id }] }), { code: 400 });
  }
  await check('a body over 1 MB', events(server, { ...good, event_properties: { x: 'x'.repeat(1_100_000) } }), {
    code: 413, error: 'Payload too large',
  });
  await check('more than 2,000 events', withKey({ events: Array(2001).fill(good) }), { code: 413, error: 'Payload too large' });
  await check('a gzip body that becomes too large', gzipSync(events(server, { ...good, event_properties: { x: 'x'.repeat(1_100_000) } })), {
    code: 413,
  }, { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' } });
  // The server is as good as before: the same event is taken now.
  assert.equal((await post(server, events(server, good))).code, 200);
  assert.equal(await total(server, 'Opened'), 1);
});

test('a browser of any origin may send events', async (t) => {
  const server = await Server.start(t);
  const preflight = await fetch(`${server.url}/2/httpapi`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://shop.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,content-encoding',
    },
  });
  assert.ok(preflight.ok);
  assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
  const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase();
  for (const header of ['content-type', 'content-encoding']) assert.ok(allowed === '*' || allowed.includes(header), allowed);
  const config = await fetch(`${server.url}/config/${server.keys.client}?config_group=browser`);
  assert.deepEqual(await config.json(), { configs: {} });
});

const captures = [
  'node_plain', 'node_batch', 'node_gzip', 'node_min_plan_ingestion', 'python_plain', 'python_min_plan',
  'browser_default', 'browser_off', 'browser_custom_rc', 'browser_gzip',
];

test('what was recorded from the SDKs is taken and stored', async (t) => {
  for (const name of captures) {
    const file = sharedFile(`data/captures/${name}.json`);
    if (!file) continue;
    await t.test(name, async (t) => {
      const server = await Server.start(t);
      const requests = JSON.parse(readFileSync(file)).filter((r) => /\/(2\/httpapi|batch)$/.test(r.path.split('?')[0]));
      assert.ok(requests.length > 0);
      const ids = new Set();
      for (const { path, headers, body } of requests) {
        const zipped = /gzip/.test(headers['Content-Encoding'] ?? '');
        const send = (list) => {
          const text = JSON.stringify({ ...body, events: list, api_key: server.keys.client });
          return post(server, zipped ? gzipSync(text) : text, {
            path,
            headers: { 'content-type': headers['Content-Type'], ...(zipped ? { 'content-encoding': 'gzip' } : {}) },
          });
        };
        // One recording has an event of nobody. The answer lists it, and the SDK sends the others again.
        const nobody = body.events.flatMap((e, i) => (e.user_id ?? e.device_id ?? null) === null ? [i] : []);
        const events = body.events.filter((_, i) => !nobody.includes(i));
        if (nobody.length > 0) {
          const refused = await send(body.events);
          assert.equal(refused.code, 400);
          const lists = ['events_with_missing_fields', 'events_with_invalid_fields', 'events_with_invalid_id_lengths'];
          const listed = lists.flatMap((l) => Object.values(refused[l] ?? {})).flat();
          assert.deepEqual([...new Set(listed)], nobody);
        }
        const answer = await send(events);
        assert.equal(answer.code, 200, JSON.stringify(answer));
        assert.equal(answer.events_ingested, events.length);
        for (const event of events) {
          ids.add(`${event.device_id ?? event.user_id} ${event.insert_id}`);
        }
      }
      // All of them, also those that make nobody active.
      const { events: stored } = await server.get('/api/status');
      assert.equal(stored, ids.size);
      fact('captures', `${name}: ${stored} recorded events stored`);
    });
  }
});

//! Conformance: Amplitude Experiment with the official Node SDK: remote, local and streaming
//! evaluation agree; a client key gets answers and no rules; exposures arrive.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { booleanFlag, everyKind, kinds } from './flags.mjs';
import { serving, until } from './harness.mjs';
import { totals } from './queries.mjs';
import { amplitudeLocal, amplitudeRemote } from './sdk.mjs';

const plain = (variants) =>
  Object.fromEntries(Object.entries(variants).map(([flag, { key, value, payload }]) => [flag, { key, value, payload }]));

/** Users on both sides of every rule. */
const user = (i) => ({
  user_id: `user-${i}`,
  country: ['DE', 'JP', undefined][i % 3],
  version: ['2.1.0', '2.0.9', '3.0.0-beta', undefined][i % 4],
  user_properties: { plan: ['free', 'pro'][Math.floor(i / 4) % 2] },
});

/** What the local SDK answers of flags. Beside them it shows the parts that they are made of, whose names are no flag's. */
const flags = (variants) => Object.fromEntries(Object.entries(variants).filter(([flag]) => !flag.includes(':')));

describe('Amplitude Experiment', () => {
  const suite = serving();
  let server;
  before(async () => {
    server = suite.server;
    await everyKind(server);
  });

  const exposures = async (flag) => (await totals(server, { event: '$exposure', by: 'flag_key' })).get(flag) ?? { total: 0, users: 0 };

  test('remote and local evaluation give every user the same', async (t) => {
    const [remote, local] = [amplitudeRemote(server), await amplitudeLocal(t, server)];
    const seen = new Set();
    for (let i = 0; i < 400; i++) {
      const [there, here] = [plain(await remote.fetchV2(user(i))), plain(flags(local.evaluateV2(user(i))))];
      assert.deepEqual(here, there);
      assert.deepEqual(Object.keys(here).sort(), [...kinds].sort());
      for (const [flag, { key }] of Object.entries(here)) seen.add(`${flag}=${key}`);
    }
    for (const variant of ['banner=a', 'banner=b', 'banner=c', 'page-size=large', 'page-size=small',
      'recommendations=new', 'recommendations=old', 'recommendations=off']) {
      assert.ok(seen.has(variant), `nobody got ${variant}`);
    }
  });

  test('the server answers OFREP and Amplitude alike', async (t) => {
    const local = await amplitudeLocal(t, server);
    for (let i = 0; i < 100; i++) {
      const { user_id: targetingKey, user_properties, ...rest } = user(i);
      const reply = await server.raw('/ofrep/v1/evaluate/flags', { json: { context: { targetingKey, ...user_properties, ...rest } } });
      const variants = Object.fromEntries((await reply.json()).flags.map((f) => [f.key, f.variant]));
      const here = Object.fromEntries(Object.entries(flags(local.evaluateV2(user(i)))).map(([flag, v]) => [flag, v.key]));
      assert.deepEqual(here, variants);
    }
  });

  test('values come as text and in full as payload', async () => {
    const variants = await amplitudeRemote(server).fetchV2({ user_id: 'vip-1', country: 'DE' });
    assert.equal(variants.banner.value, { a: 'red', b: 'green', c: 'blue' }[variants.banner.key]);
    assert.deepEqual(variants.layout.payload, { columns: 3 });
    assert.equal(variants['page-size'].payload, 25.5);
    assert.equal(variants['new-checkout'].key, 'on');
  });

  test('remote evaluation of some flags answers those', async () => {
    const variants = await amplitudeRemote(server).fetchV2(user(1), { flagKeys: ['banner', 'layout'] });
    assert.deepEqual(Object.keys(variants).sort(), ['banner', 'layout']);
  });

  test('a client key gets answers and an empty list of rules', async (t) => {
    assert.ok((await amplitudeRemote(server, { scope: 'client' }).fetchV2(user(1)))['new-checkout']);
    const local = await amplitudeLocal(t, server, { scope: 'client' });
    assert.deepEqual(local.evaluateV2(user(1)), {});
    const flags = await fetch(`${server.url}/sdk/v2/flags`, { headers: { authorization: `Api-Key ${server.keys.client}` } });
    assert.deepEqual([flags.status, await flags.json()], [200, []]);
    const streaming = await amplitudeLocal(t, server, { scope: 'client', streaming: true });
    assert.deepEqual(streaming.evaluateV2(user(1)), {});
  });

  test('a change arrives over the stream', async (t) => {
    await booleanFlag(server, 'streamed');
    const local = await amplitudeLocal(t, server, { streaming: true });
    const key = () => local.evaluateV2(user(1), ['streamed']).streamed?.key;
    assert.equal(key(), 'on');
    for (const on of [false, true, false]) {
      await server.toggle('streamed', on);
      await until(key, (k) => k === (on ? 'on' : 'off'), 5000);
    }
    await server.post('/api/flags/streamed/archive', {});
    await until(key, (k) => k === undefined, 5000);
  });

  test('local evaluation sends its exposures, and only where variants are compared', async (t) => {
    const before = await exposures('banner');
    const local = await amplitudeLocal(t, server);
    for (const id of ['exposed-1', 'exposed-2', 'exposed-2']) {
      local.evaluateV2({ user_id: id }, ['banner', 'new-checkout'], { tracksExposure: true });
    }
    await until(() => exposures('banner'), ({ total, users }) => total === before.total + 2 && users === before.users + 2);
    assert.equal((await exposures('new-checkout')).total, 0);
  });

  test('remote evaluation records what its headers ask for', async () => {
    const remote = amplitudeRemote(server);
    const assignments = async () => (await totals(server, { event: '$assignment', by: 'flag_key' })).get('banner')?.total ?? 0;
    const before = { exposures: (await exposures('banner')).total, assignments: await assignments() };
    const fetched = (id, options) => remote.fetchV2({ user_id: id }, { flagKeys: ['banner'], ...options });
    await fetched('remote-1', { tracksAssignment: false });
    await fetched('remote-2', { tracksAssignment: false, tracksExposure: true });
    await fetched('remote-3', { tracksAssignment: true });
    await until(exposures.bind(null, 'banner'), ({ total }) => total === before.exposures + 1);
    await until(assignments, (n) => n === before.assignments + 1);
  });

  test('a page of any origin may ask', async () => {
    const headers = ['authorization', 'x-amp-exp-user', 'x-amp-exp-flag-keys', 'x-amp-exp-library', 'x-amp-exp-track', 'x-amp-exp-exposure-track'];
    for (const path of ['/sdk/v2/vardata?v=0', '/sdk/v2/flags']) {
      const preflight = await fetch(server.url + path, {
        method: 'OPTIONS',
        headers: { origin: 'https://shop.example', 'access-control-request-method': 'GET', 'access-control-request-headers': headers.join(',') },
      });
      assert.ok(preflight.ok, `${path}: ${preflight.status}`);
      const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase();
      for (const name of headers) assert.ok(allowed.includes(name), `${name} in ${allowed}`);
      const reply = await fetch(server.url + path, {
        headers: { origin: 'https://shop.example', authorization: `Api-Key ${server.keys.client}`, 'x-amp-exp-user': Buffer.from('{"user_id":"user-1"}').toString('base64url') },
      });
      assert.deepEqual([reply.status, reply.headers.get('access-control-allow-origin')], [200, '*']);
    }
  });

  test('bad input gets an error and no answer', async (t) => {
    const vardata = '/sdk/v2/vardata?v=0';
    const key = { authorization: `Api-Key ${server.keys.client}` };
    const header = (user) => ({ 'x-amp-exp-user': Buffer.from(user).toString('base64url') });
    const check = async (name, path, options, status) => {
      await t.test(name, async () => {
        const reply = await fetch(server.url + path, options);
        assert.equal(reply.status, status);
        assert.notEqual(await reply.text(), '');
      });
    };
    await check('no key', vardata, { headers: header('{}') }, 401);
    await check('a key that nobody knows', vardata, { headers: { authorization: 'Api-Key nobody', ...header('{}') } }, 401);
    await check('an admin key', '/sdk/v2/flags', { headers: { authorization: `Api-Key ${server.keys.admin}` } }, 403);
    await check('no key for the stream', '/sdk/stream/v1/flags', {}, 401);
    await check('a user that is no base64', vardata, { headers: { ...key, 'x-amp-exp-user': '%%%' } }, 400);
    await check('a user that is no JSON', vardata, { headers: { ...key, ...header('{') } }, 400);
    await check('a user of the wrong type', vardata, { headers: { ...key, ...header('[1]') } }, 400);
    await check('a body that is no JSON', vardata, { method: 'POST', headers: key, body: '{' }, 400);
    await check('a body that is too large', vardata, { method: 'POST', headers: key, body: JSON.stringify({ user_id: 'u', x: 'x'.repeat(3_000_000) }) }, 413);
    await check('flag keys that are none', vardata, { headers: { ...key, ...header('{"user_id":"user-1"}'), 'x-amp-exp-flag-keys': '%%%' } }, 400);
    const status = await fetch(`${server.url}/status`);
    assert.deepEqual([status.status, await status.text()], [200, 'OK']);
  });
});

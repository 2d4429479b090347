//! Conformance: the official flagd provider for Node, which loads the rules over `flagd.sync.v1` and evaluates
//! in its own process: it behaves as its documentation says, and goes on answering while the server is away. That it
//! agrees with the server on every user is in offer.test.mjs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { describe } from 'node:test';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { ProviderEvents } from '@openfeature/server-sdk';
import { booleanFlag, everyKind, large, make } from './flags.mjs';
import { Server, fact, serving, until } from './harness.mjs';
import { flagdInProcess, flagdProvider } from './sdk.mjs';

describe('what a provider is told', () => {
  const suite = serving();

  test('values, variants and reasons', async (t) => {
    const { server } = suite;
    await everyKind(server);
    const client = await flagdInProcess(t, server);
    const at = (country) => ({ targetingKey: 'user-1', country });
    const check = async (kind, flag, context, expected) => {
      const { value, variant, reason, errorCode } = await client[`get${kind}Details`](flag, { Boolean: true, String: 'x', Number: -1, Object: {} }[kind], context);
      assert.deepEqual({ value, variant, reason, errorCode }, { variant: undefined, errorCode: undefined, ...expected }, flag);
    };
    await check('Boolean', 'new-checkout', at('DE'), { value: true, variant: 'on', reason: 'STATIC' });
    await check('Number', 'page-size', at('DE'), { value: 25.5, variant: 'large', reason: 'TARGETING_MATCH' });
    await check('Number', 'page-size', at('JP'), { value: 10.5, variant: 'small', reason: 'DEFAULT' });
    await check('Number', 'retries', at('DE'), { value: 3, variant: 'three', reason: 'STATIC' });
    await check('Object', 'layout', { targetingKey: 'vip-1' }, { value: { columns: 3 }, variant: 'wide', reason: 'TARGETING_MATCH' });
    await check('Object', 'layout', at('DE'), { value: { columns: 1 }, variant: 'narrow', reason: 'DEFAULT' });
    // Off is an answer, not an absence: the provider does not fall back to the code.
    await check('Boolean', 'old-search', at('DE'), { value: false, variant: 'off', reason: 'STATIC' });
    await check('Boolean', 'no-such-flag', at('DE'), { value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
    await check('String', 'new-checkout', at('DE'), { value: 'x', reason: 'ERROR', errorCode: 'TYPE_MISMATCH' });
  });

  test('whose flags they are, and never the key', async (t) => {
    const { server } = suite;
    await booleanFlag(server, 'told');
    const client = await flagdInProcess(t, server);
    const details = await client.getBooleanDetails('told', false, { targetingKey: 'user-1' });
    assert.deepEqual(details.flagMetadata, { flagSetId: server.environment, scope: server.environment });
  });

  test('every change, with the flags that changed', async (t) => {
    const { server } = suite;
    await booleanFlag(server, 'switched');
    const client = await flagdInProcess(t, server);
    const changes = [];
    client.addHandler(ProviderEvents.ConfigurationChanged, (event) => changes.push(event.flagsChanged));
    for (const on of [false, true]) {
      const known = changes.length;
      await server.toggle('switched', on);
      await until(() => changes.length > known);
      assert.deepEqual(changes.at(-1), ['switched']);
      assert.equal(await client.getBooleanValue('switched', !on), on);
    }
    await make(server, { create: { flag: 'later' }, on: false });
    await until(() => changes.at(-1)?.includes('later'));
    // What happens elsewhere is not said here.
    const known = changes.length;
    await server.toggle('switched', true, 'development');
    await server.toggle('later', true);
    await until(() => changes.length > known);
    assert.deepEqual(changes.slice(known), [['later']]);
  });

  test('nothing without a `server` key', async () => {
    const { server } = suite;
    const strangers = { 'nobody': undefined, 'a name': 'flagSetId=production', 'a stranger': 'bws_stranger', 'a `client` key': server.keys.client };
    for (const [who, selector] of Object.entries(strangers)) {
      const refused = flagdProvider(server, { selector, fatalStatusCodes: ['UNAUTHENTICATED', 'PERMISSION_DENIED'] });
      await assert.rejects(refused.initialize({}), /UNAUTHENTICATED|PERMISSION_DENIED/, who);
      await refused.onClose();
    }
  });
});

/** The bytes of the first message of a stream, and after how many milliseconds it was there. */
async function firstMessage(server) {
  const began = performance.now();
  const line = new Client(new URL(server.url).host, credentials.createInsecure());
  const selector = new Metadata();
  selector.set('flagd-selector', `flagSetId=${server.keys.server}`);
  const asIs = (bytes) => bytes;
  const stream = line.makeServerStreamRequest('/flagd.sync.v1.FlagSyncService/SyncFlags', asIs, asIs, Buffer.alloc(0), selector);
  const [message] = await once(stream, 'data');
  const took = performance.now() - began;
  stream.on('error', () => {});
  stream.cancel();
  line.close();
  return { bytes: message.length, took };
}

/** What connects first: a machine on which others work is a slow client, whatever the server does. */
async function firstOfTen(connect) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect();
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

test('nearly 4 MB of rules come within the deadline that the provider has by itself', async (t) => {
  const server = await Server.start(t);
  await large(server);
  const { bytes, took } = await firstMessage(server);
  assert.ok(bytes > 3.5e6 && bytes < 4 << 20, `${bytes} bytes`);
  fact('flagd', `the first message, ${(bytes / 1e6).toFixed(1)} MB, was there ${took.toFixed(0)} ms after the client began to connect`);
  // The provider for Node has it for the connection alone; that for Python for the rules, too, see flagd_test.py.
  const client = await firstOfTen(() => flagdInProcess(t, server, { deadlineMs: 500 }));
  const who = async (targetingKey) => (await client.getBooleanDetails('large-9', false, { targetingKey })).variant;
  assert.deepEqual([await who('user-026999'), await who('user-027000')], ['on', 'off']);
});

test('it goes on while the server is away, and catches up', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, 'kept');
  const client = await flagdInProcess(t, server);
  const heard = [];
  for (const event of [ProviderEvents.Stale, ProviderEvents.Error, ProviderEvents.Ready]) {
    client.addHandler(event, () => heard.push(event));
  }
  await until(() => heard.includes(ProviderEvents.Ready));
  const value = () => client.getBooleanValue('kept', false);
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    heard.length = 0;
    const { host } = new URL(server.url);
    await server.end(signal);
    await until(() => heard.length > 0);
    assert.notEqual(heard[0], ProviderEvents.Ready);
    assert.equal(await value(), true, `after ${signal} the answers stay`);
    await server.open({ listen: host });
    await until(() => heard.includes(ProviderEvents.Ready), Boolean, 30_000);
    await server.toggle('kept', false);
    await until(async () => !(await value()), Boolean, 30_000);
    await server.toggle('kept', true);
    await until(value);
  }
});

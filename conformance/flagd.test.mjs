//! Conformance: the official flagd provider for Node, which loads the rules over `flagd.sync.v1` and evaluates
//! in its own process: it agrees with the server on every user, behaves as its documentation says, and goes on
//! answering while the server is away.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import { FlagdProvider } from '@openfeature/flagd-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { booleanFlag, everyKind, make } from './flags.mjs';
import { Server, atEnd, count, fact, inParallel, serving, until } from './harness.mjs';

const calls = JSON.parse(readFileSync(new URL('./flagd.json', import.meta.url)));
let domains = 0;

/** The flag `offer`: a prerequisite, a holdout, a layer, a segment and a split in three. */
async function offer(server) {
  for (const { method, path, body } of calls) {
    const here = body.environment ? { ...body, environment: server.environment } : body;
    await server.call(method, path, { why: 'the proofs', ...here });
  }
}

/**
 * What the documentation asks for, but for a retry that does not wait two minutes, and for a deadline that a
 * machine keeps on which tests and compilers run beside each other.
 */
function provider(server, options = {}) {
  const { hostname, port } = new URL(server.url);
  return new FlagdProvider({
    resolverType: 'in-process',
    host: hostname,
    port: Number(port),
    selector: `flagSetId=${server.keys.server}`,
    deadlineMs: 10_000,
    retryBackoffMs: 50,
    retryBackoffMaxMs: 200,
    ...options,
  });
}

/** A client of a provider that is ready. */
async function connected(t, server, options) {
  const domain = `flagd-${++domains}`;
  const of = provider(server, options);
  atEnd(t, () => of.onClose());
  await OpenFeature.setProviderAndWait(domain, of);
  return OpenFeature.getClient(domain);
}

const users = count(100_000);
const user = (i) => ({
  targetingKey: i % 2 === 0 ? `user-${i}` : `${i.toString(16).padStart(8, '0')}-33b7-4b22-b0bd-9fec66ba1d7d`,
  country: ['DE', 'JP', 'FR'][i % 3],
});

test(`the provider and the server agree on ${users} users`, async (t) => {
  const server = await Server.start(t);
  await offer(server);
  const client = await connected(t, server);
  const got = {};
  let differences = 0;
  await inParallel(Array(users).keys(), 16, async (i) => {
    const context = user(i);
    const { flags } = await server.ask('/ofrep/v1/evaluate/flags', { context });
    const there = Object.fromEntries(flags.map(({ key, variant, value }) => [key, [variant, value]]));
    const one = await client.getStringDetails('offer', 'default', context);
    const other = await client.getBooleanDetails('gate', false, context);
    for (const { flagKey, variant, value } of [one, other]) {
      if (there[flagKey][0] !== variant || there[flagKey][1] !== value) differences += 1;
    }
    got[one.variant] = (got[one.variant] ?? 0) + 1;
  });
  assert.equal(differences, 0);
  // Everybody is divided: two thirds are in the segment, and of these 80% have the prerequisite, 95% are not
  // held and 70% are in the layer.
  const inside = (2 / 3) * 0.8 * 0.95 * 0.7;
  for (const [variant, share] of Object.entries({ a: 0.1 * inside, b: 0.3 * inside, c: 0.6 * inside, off: 1 - inside })) {
    const spread = 5 * Math.sqrt(share * (1 - share) * users);
    assert.ok(Math.abs(got[variant] - share * users) <= spread, `${variant}: ${JSON.stringify(got)}`);
  }
  fact('flagd', `Node in-process provider: ${2 * users} answers on ${users} users compared with OFREP, ${differences} differ`);
});

describe('what a provider is told', () => {
  const suite = serving();

  test('values, variants and reasons', async (t) => {
    const { server } = suite;
    await everyKind(server);
    const client = await connected(t, server);
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
    const client = await connected(t, server);
    const details = await client.getBooleanDetails('told', false, { targetingKey: 'user-1' });
    assert.deepEqual(details.flagMetadata, { flagSetId: server.environment, scope: server.environment });
  });

  test('every change, with the flags that changed', async (t) => {
    const { server } = suite;
    await booleanFlag(server, 'switched');
    const client = await connected(t, server);
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
      const refused = provider(server, { selector, fatalStatusCodes: ['UNAUTHENTICATED', 'PERMISSION_DENIED'] });
      await assert.rejects(refused.initialize({}), /UNAUTHENTICATED|PERMISSION_DENIED/, who);
      await refused.onClose();
    }
  });
});

test('it goes on while the server is away, and catches up', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, 'kept');
  const client = await connected(t, server);
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

//! Conformance: limits and stickiness with the official SDKs that ask the server. A visitor who signs in keeps
//! the variant, over OFREP and with Amplitude remote; a limit stands, also after `kill -9`; and SDKs that
//! evaluate by themselves do not get such a flag.

import assert from 'node:assert/strict';
import test, { before, describe } from 'node:test';
import { shares, splitFlag } from './flags.mjs';
import { Server, count, fact, inParallel, serving, until } from './harness.mjs';
import { amplitudeLocal, amplitudeRemote, openFeature } from './sdk.mjs';

const limit = (server, flag, limits) =>
  server.put(`/api/flags/${flag}/enrolment`, { environment: server.environment, ...limits });

const enrolled = async (server, flag) => (await server.get(`/api/flags/${flag}`)).enrolled[server.environment];

describe('enrolment', () => {
  const suite = serving();
  let server;
  before(async () => {
    server = suite.server;
    for (const flag of ['sticky', 'limited']) await splitFlag(server, flag, { a: 5000, b: 5000, off: 0 }, 'off');
    await limit(server, 'sticky', { sticky: true });
  });

  test('a visitor who signs in keeps the variant: OFREP and Amplitude remote', async (t) => {
    const client = await openFeature(t, server);
    const remote = amplitudeRemote(server);
    const ofrep = async (targetingKey, device_id) =>
      (await client.getStringDetails('sticky', 'none', { ...(targetingKey ? { targetingKey } : {}), ...(device_id ? { device_id } : {}) })).variant;
    const amplitude = async (user_id, device_id) =>
      (await remote.fetchV2({ user_id, device_id }, { flagKeys: ['sticky'] })).sticky?.key;
    const hashed = new Set();
    for (let n = 0; n < 40; n++) {
      const [visit, again] = n % 2 ? [ofrep, amplitude] : [amplitude, ofrep];
      const [user, phone, laptop] = [`user-${n}`, `phone-${n}`, `laptop-${n}`];
      const first = await visit(undefined, phone);
      assert.ok(['a', 'b'].includes(first), `${phone} got ${first}`);
      await visit(undefined, laptop);
      for (const ask of [visit, again]) {
        for (const device of [phone, laptop, undefined]) assert.equal(await ask(user, device), first, `${user} on ${device}`);
        for (const device of [phone, laptop]) assert.equal(await ask(undefined, device), first, `${device}, signed out`);
      }
      // Somebody else on the same phone is drawn for themselves, as they are without it.
      const guest = await visit(`guest-${n}`, phone);
      assert.equal(await again(`guest-${n}`, undefined), guest);
      assert.equal(await again(user, phone), first);
      hashed.add(`${first} ${guest}`);
    }
    assert.equal(hashed.size, 4, 'two people on one phone are independent');
    assert.equal((await enrolled(server, 'sticky')).units, 80);
  });

  test('a limit closes enrolment under load, and who is in stays in', async (t) => {
    const most = count(5000);
    await limit(server, 'limited', { units: most });
    const answers = new Map();
    const ask = async (id) => {
      const { variant } = await server.ask('/ofrep/v1/evaluate/flags/limited', { context: { targetingKey: id } });
      if (answers.has(id)) assert.equal(variant, answers.get(id), id);
      answers.set(id, variant);
    };
    const ids = Array.from({ length: most * 2 }, (_, n) => `user-${n}`);
    await inParallel([...ids, ...ids], 16, ask);
    assert.equal([...answers.values()].filter((variant) => variant !== 'off').length, most);
    const { units, closed, over } = await enrolled(server, 'limited');
    assert.deepEqual({ units, closed, over }, { units: most, closed: true, over: 0 });
    // Other shares move nobody who is in; the late stay out.
    await server.post('/api/flags/limited/shares', { environment: server.environment, shares: shares({ a: 9999, b: 1, off: 0 }) });
    await inParallel(ids, 16, ask);
    const client = await openFeature(t, server);
    const late = ids.find((id) => answers.get(id) === 'off');
    const details = await client.getStringDetails('limited', 'none', { targetingKey: late });
    assert.deepEqual([details.variant, details.reason], ['off', 'DEFAULT']);
    fact('a limit under load', `${most} of ${ids.length} users enrolled, not one more`);
  });

  test('SDKs that evaluate by themselves do not get the flag, and the reason is said', async (t) => {
    const local = await amplitudeLocal(t, server);
    assert.deepEqual(local.evaluateV2({ user_id: 'user-1' }), {});
    const { formats } = await server.get('/api/flags/sticky');
    const said = formats[server.environment];
    assert.deepEqual(said.map((f) => [f.format, f.carried]), [['amplitude', false], ['flagd', false], ['provider', false]]);
    for (const { why } of said) assert.match(why, /only the server remembers/);
    const rules = await (await server.raw('/api/rules', { method: 'GET' })).json();
    assert.deepEqual(rules.flags, []);
  });
});

const kills = count(50);

test(`${kills} kills move nobody who was written or recorded, and let nobody in beyond the limit`, async (t) => {
  const server = await Server.start(t);
  await splitFlag(server, 'f', { a: 5000, b: 5000, off: 0 }, 'off');
  const answers = new Map();
  const ask = async (id) => {
    const { variant } = await server.ask('/ofrep/v1/evaluate/flags/f', { context: { targetingKey: id } });
    return variant;
  };
  let asked = 0;
  let most = 0;
  const beyond = [];
  for (let round = 0; round < kills; round++) {
    // Room for some more, and shares under which the hash gives others than before.
    most += 20;
    await limit(server, 'f', { units: most, sticky: true });
    const a = round % 2 ? 9999 : 1;
    await server.post('/api/flags/f/shares', { environment: server.environment, shares: shares({ a, b: 10_000 - a, off: 0 }) });
    const ids = Array.from({ length: 30 }, () => `user-${asked++}`);
    const fresh = new Map();
    await inParallel(ids, 4, async (id) => fresh.set(id, await ask(id)));
    // Their exposures are committed within a twentieth of a second; the table is written once a second.
    const compared = [...fresh.values()].filter((variant) => variant !== 'off').length;
    const recorded = async () => (await server.get('/api/events/recent?environment=production&limit=500')).events;
    await until(recorded, (events) => events.filter((e) => ids.includes(e.who.user)).length >= compared);
    await server.end('SIGKILL');
    server.agent?.destroy();
    server.agent = undefined;
    await server.open();
    for (const [id, variant] of fresh) if (variant !== 'off') answers.set(id, variant);
    await inParallel(answers, 8, async ([id, variant]) => assert.equal(await ask(id), variant, `${id} in round ${round}`));
    const { units, over } = await enrolled(server, 'f');
    assert.equal(units, answers.size, `round ${round}`);
    beyond.push(over);
  }
  assert.deepEqual(new Set(beyond), new Set([0]));
  fact('kills and who is enrolled', `${kills} kills, ${answers.size} enrolled, none moved, none beyond the limit`);
});

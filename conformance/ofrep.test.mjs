//! Conformance: OFREP with the official OpenFeature SDK and provider for servers, against the
//! protocol's own schema, and with bad input.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { before, describe } from 'node:test';
import { gzipSync } from 'node:zlib';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { everyKind, kinds } from './flags.mjs';
import { Server, serving, sharedFile, until } from './harness.mjs';
import { total, totals } from './queries.mjs';
import { openFeature } from './sdk.mjs';

const single = (key) => `/ofrep/v1/evaluate/flags/${key}`;
const bulk = '/ofrep/v1/evaluate/flags';
const context = { targetingKey: 'user-1', country: 'DE' };

/**
 * The published schema asks that an answer matches exactly one kind of value, but its kinds overlap: a
 * whole number is integer and float, and the kind for "use the code's default" matches every answer.
 * Here an answer matches at least one kind, and must have a value, as all of Bellwether's have. The
 * reason DEFAULT, which the list in the schema lacks, is OpenFeature's own and flagd's too.
 */
function satisfiable(schema) {
  if (Array.isArray(schema)) return schema.map(satisfiable);
  if (schema === null || typeof schema !== 'object') return schema;
  const { oneOf, ...rest } = Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, satisfiable(v)]));
  if (oneOf) rest.anyOf = oneOf.filter((kind) => !kind.$ref?.endsWith('/codeDefaultFlag'));
  if (rest.enum?.includes('TARGETING_MATCH')) rest.enum = [...rest.enum, 'DEFAULT'];
  return rest;
}

describe('OFREP', () => {
  const suite = serving();
  let server;
  before(async () => {
    server = suite.server;
    await everyKind(server);
  });

  for (const scope of ['server', 'client']) {
    test(`every kind of flag with its reason, with a ${scope} key`, async (t) => {
      const client = await openFeature(t, server, { scope });
      const check = (details, value, variant, reason) => {
        const { value: v, variant: name, reason: why } = details;
        assert.deepEqual({ v, name, why }, { v: value, name: variant, why: reason });
      };
      const vip = { targetingKey: 'vip-1' };
      check(await client.getBooleanDetails('new-checkout', false, context), true, 'on', 'STATIC');
      check(await client.getNumberDetails('page-size', 1, context), 25.5, 'large', 'TARGETING_MATCH');
      check(await client.getNumberDetails('page-size', 1, { ...context, country: 'JP' }), 10.5, 'small', 'DEFAULT');
      check(await client.getObjectDetails('layout', {}, vip), { columns: 3 }, 'wide', 'TARGETING_MATCH');
      check(await client.getObjectDetails('layout', {}, context), { columns: 1 }, 'narrow', 'DEFAULT');
      check(await client.getBooleanDetails('old-search', true, context), false, 'off', 'DISABLED');
      const banner = await client.getStringDetails('banner', 'none', context);
      assert.equal(banner.reason, 'SPLIT');
      assert.equal(banner.value, { a: 'red', b: 'green', c: 'blue' }[banner.variant]);
    });
  }

  test('what cannot be answered gives the default and says why', async (t) => {
    const client = await openFeature(t, server);
    const unknown = await client.getBooleanDetails('no-such-flag', true, context);
    assert.deepEqual([unknown.value, unknown.errorCode], [true, 'FLAG_NOT_FOUND']);
    const mismatch = await client.getStringDetails('new-checkout', 'default', context);
    assert.deepEqual([mismatch.value, mismatch.errorCode], ['default', 'TYPE_MISMATCH']);
    // A split has nobody to place; what divides nobody needs no id.
    const nobody = await client.getStringDetails('banner', 'none', { country: 'DE' });
    assert.deepEqual([nobody.value, nobody.errorCode], ['none', 'TARGETING_KEY_MISSING']);
    const rule = await client.getNumberDetails('page-size', 1, { country: 'DE' });
    assert.deepEqual([rule.value, rule.reason], [25.5, 'TARGETING_MATCH']);
  });

  test('the answer to a user is the same alone and in bulk', async () => {
    for (let i = 0; i < 100; i++) {
      const body = { context: { targetingKey: `user-${i}`, country: ['DE', 'JP'][i % 2] } };
      const all = await (await server.raw(bulk, { json: body })).json();
      assert.deepEqual(all.flags.map((f) => f.key), [...kinds].sort());
      for (const flag of all.flags) {
        assert.deepEqual(await (await server.raw(single(flag.key), { json: body })).json(), flag);
      }
    }
  });

  test('a bulk answer that has not changed is a 304', async () => {
    const ask = async (context, headers = {}, query = '') => {
      const reply = await server.raw(bulk + query, { json: { context }, headers });
      return { status: reply.status, etag: reply.headers.get('etag'), text: await reply.text() };
    };
    const first = await ask(context);
    assert.equal(first.status, 200);
    assert.ok(first.etag);
    const again = await ask(context, { 'if-none-match': first.etag });
    assert.deepEqual([again.status, again.text], [304, '']);
    const hinted = await ask(context, { 'if-none-match': first.etag }, '?flagConfigEtag=x&flagConfigLastModified=1771622898');
    assert.equal(hinted.status, 304);
    // Another context is another answer, whatever tag the client still holds.
    for (const other of [{ ...context, country: 'JP' }, { ...context, targetingKey: 'user-2' }]) {
      assert.equal((await ask(other, { 'if-none-match': first.etag })).status, 200);
    }
    await server.toggle('new-checkout', false);
    const changed = await ask(context, { 'if-none-match': first.etag });
    assert.equal(changed.status, 200);
    assert.notEqual(changed.etag, first.etag);
    await server.toggle('new-checkout', true);
    assert.equal((await ask(context, { 'if-none-match': first.etag })).status, 304, 'the same answer as before has the same tag');
  });

  test('every answer is what the schema of OFREP says', async (t) => {
    const file = sharedFile('data/specs/ofrep-openapi.yaml');
    if (!file) return;
    const ajv = new Ajv({ strict: false, formats: { float: true, uri: true } });
    const { components } = parse(readFileSync(file, 'utf8'));
    ajv.addSchema({ $id: 'ofrep', components: satisfiable(components) });
    const valid = async (reply, status, schema) => {
      assert.equal(reply.status, status);
      assert.match(reply.headers.get('content-type'), /^application\/json/);
      const answer = await reply.json();
      const validate = ajv.getSchema(`ofrep#/components/schemas/${schema}`);
      assert.ok(validate(answer), `${JSON.stringify(answer)} ${JSON.stringify(validate.errors)}`);
      return answer;
    };
    for (const key of kinds) {
      await valid(await server.raw(single(key), { json: { context } }), 200, 'serverEvaluationSuccess');
    }
    const answer = await valid(await server.raw(bulk, { json: { context } }), 200, 'bulkEvaluationSuccess');
    assert.equal(answer.flags.length, kinds.length);
    assert.equal(answer.eventStreams[0].type, 'sse');
    await valid(await server.raw(single('no-such-flag'), { json: { context } }), 404, 'flagNotFound');
    await valid(await server.raw(single('banner'), { body: '{' }), 400, 'evaluationFailure');
    await valid(await server.raw(bulk, { body: '{' }), 400, 'bulkEvaluationFailure');
  });

  test('bad input gets the error that the protocol has for it, and leaves no trace', async (t) => {
    // A server that has answered nobody: what others asked of the suite's may not be counted yet.
    const server = await Server.start(t);
    await everyKind(server);
    const seen = async () => (await total(server, '$exposure')) + (await total(server, '$assignment'));
    const check = async (name, options, status, errorCode, paths = [single('banner'), bulk]) => {
      for (const path of paths) {
        await t.test(`${name}: ${path === bulk ? 'bulk' : 'single'}`, async () => {
          const reply = await server.raw(path, options);
          assert.equal(reply.status, status);
          const answer = await reply.json();
          if (errorCode) {
            assert.equal(answer.errorCode, errorCode);
            assert.match(answer.errorDetails, /^[^A-Z].*[^.]$/s);
            if (path !== bulk) assert.equal(answer.key, 'banner');
          }
        });
      }
    };
    await check('malformed JSON', { body: '{"context":' }, 400, 'PARSE_ERROR');
    await check('no body', { body: '' }, 400, 'PARSE_ERROR');
    await check('bytes that are not UTF-8', { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400, 'PARSE_ERROR');
    await check('a body in an encoding that is not spoken here', { body: gzipSync(JSON.stringify({ context })), headers: { 'content-encoding': 'gzip' } }, 400, 'PARSE_ERROR');
    await check('a context of the wrong type', { json: { context: [1] } }, 400, 'INVALID_CONTEXT');
    await check('not an object', { json: [context] }, 400, 'PARSE_ERROR');
    await check('no context', { json: {} }, 400, 'INVALID_CONTEXT');
    await check('a targeting key of the wrong type', { json: { context: { targetingKey: 7 } } }, 400, 'INVALID_CONTEXT');
    await check('a body over the limit', { json: { context: { ...context, x: 'x'.repeat(3_000_000) } } }, 413);
    await check('no key', { json: { context }, scope: null }, 401);
    await check('a key that nobody knows', { json: { context }, scope: null, headers: { authorization: 'Bearer nobody' } }, 401);
    await check('an admin key, which is not for SDKs', { json: { context }, scope: 'admin' }, 403);
    // Answers leave their traces behind them, in their order: once this one's is there, an earlier one would be.
    const header = await server.raw(single('banner'), { json: { context }, scope: null, headers: { 'x-api-key': server.keys.client } });
    assert.equal(header.status, 200);
    assert.equal(await until(seen), 1);
  });

  test('a single answer is an exposure once a day, a bulk answer an assignment', async () => {
    const ask = (path, user) => server.raw(path, { json: { context: { targetingKey: user } } });
    const count = async (event) => (await totals(server, { event, by: 'flag_key' })).get('banner')?.total ?? 0;
    const [exposed, assigned] = [await count('$exposure'), await count('$assignment')];
    for (const user of ['seen-1', 'seen-2', 'seen-2']) await ask(single('banner'), user);
    await ask(bulk, 'seen-3');
    await until(() => count('$exposure'), (n) => n === exposed + 2);
    await until(() => count('$assignment'), (n) => n === assigned + 1);
  });

  test('a context with half a character is answered', async () => {
    const half = 'Great product 😀'.slice(0, 15);
    const ask = async (path, targetingKey) => (await server.raw(path, { json: { context: { targetingKey, half } } })).json();
    const whole = await ask(single('banner'), 'Great product \ufffd');
    assert.equal(whole.reason, 'SPLIT');
    assert.deepEqual(await ask(single('banner'), half), whole);
    assert.equal((await ask(bulk, half)).flags.length, kinds.length);
  });

  test('a method that is not there is refused in the words of the protocol', async () => {
    for (const [path, key] of [[single('banner'), 'banner'], [bulk, undefined]]) {
      const reply = await server.raw(path, { json: { context }, method: 'PUT' });
      const answer = await reply.json();
      assert.deepEqual([reply.status, answer.errorCode, answer.key], [405, 'GENERAL', key]);
      assert.match(answer.errorDetails, /^[^A-Z].*[^.]$/s);
    }
  });

  test('a page of any origin may ask', async () => {
    const preflight = await fetch(server.url + bulk, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,if-none-match,x-api-key',
      },
    });
    assert.ok(preflight.ok);
    const allowed = preflight.headers.get('access-control-allow-headers').toLowerCase();
    for (const name of ['authorization', 'content-type', 'if-none-match', 'x-api-key']) {
      assert.ok(allowed.includes(name), `${name} in ${allowed}`);
    }
    const reply = await server.raw(bulk, { json: { context }, headers: { origin: 'https://shop.example' } });
    assert.equal(reply.headers.get('access-control-allow-origin'), '*');
    assert.match(reply.headers.get('access-control-expose-headers').toLowerCase(), /etag/);
  });
});

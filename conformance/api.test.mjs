//! Conformance: the product's own API refuses bad input with a code, a message, a hint and a request
//! id, and changes nothing.

import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import test, { before, describe } from 'node:test';
import { Refused, serving } from './harness.mjs';
import { booleanFlag, splitFlag } from './flags.mjs';

describe('the API', () => {
  const suite = serving();
  let server;
  before(async () => {
    server = suite.server;
    await booleanFlag(server, 'new-checkout');
    await splitFlag(server, 'banner', { a: 5000, b: 5000 });
  });

  const changes = () => server.get('/api/changes');
  const toggle = { environment: 'production', on: false, why: 'the proofs' };

  /** Sends a body as it is and returns the refusal, after it was checked for form and effect. */
  async function refused(path, status, code, { method = 'POST', scope = 'admin', ...options }) {
    const before = await changes();
    const reply = await server.raw(path, { method, scope, ...options });
    const answer = await reply.json();
    assert.equal(reply.status, status, JSON.stringify(answer));
    assert.equal(answer.code, code);
    assert.match(answer.message, /^[^A-Z].*[^.]$/s);
    assert.match(answer.hint, /\w/);
    assert.match(answer.request_id, /\w/);
    assert.deepEqual(await changes(), before, 'nothing has changed');
    return answer;
  }

  const path = '/api/flags/new-checkout/toggle';
  test('malformed JSON', () => refused(path, 400, 'bad_input', { body: '{"environment":' }));
  test('bytes that are not UTF-8', () => refused(path, 400, 'bad_input', { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }));
  test('a wrong type', async () => {
    const { message } = await refused(path, 400, 'bad_input', { json: { ...toggle, on: 'yes' } });
    assert.match(message, /`on`/);
  });
  test('an unknown field', async () => {
    const { message } = await refused(path, 400, 'bad_input', { json: { ...toggle, loudly: true } });
    assert.match(message, /`loudly`/);
  });
  test('a missing field', () => refused(path, 400, 'bad_input', { json: { environment: 'production', why: 'the proofs' } }));
  test('a body over the limit', () => refused(path, 413, 'too_large', { json: { ...toggle, why: 'x'.repeat(3_000_000) } }));
  test('a body in an encoding that is not spoken here', () =>
    refused(path, 400, 'bad_input', { body: gzipSync(JSON.stringify(toggle)), headers: { 'content-encoding': 'gzip' } }));
  test('a flag that is not there', () => refused('/api/flags/no-such-flag/toggle', 404, 'not_found', { json: toggle }));
  test('an environment that is not there', () => refused(path, 404, 'not_found', { json: { ...toggle, environment: 'moon' } }));
  test('a key that is no key', () => refused('/api/flags', 400, 'bad_input', { json: { flag: '-no key-', why: 'the proofs' } }));
  test('a split that adds up to 90%', async () => {
    const shares = [{ variant: 'a', share: 5000 }, { variant: 'b', share: 4000 }];
    const { message } = await refused('/api/flags/banner/shares', 400, 'bad_input', { json: { environment: 'production', shares, why: 'the proofs' } });
    assert.equal(message, 'a split must add up to 100%: these shares make `90%`');
  });
  test('a stale revision names the newer one', async () => {
    const { revision } = await server.get('/api/flags/new-checkout');
    const newer = await server.toggle('new-checkout', false);
    const { details } = await refused(path, 409, 'stale', { json: { ...toggle, on: true, if_revision: revision } });
    assert.equal(details.newest, newer.revision);
    const done = await server.post(path, { ...toggle, on: true, if_revision: newer.revision });
    assert.ok(done.revision > newer.revision);
  });
  test('nobody, and those who may not', async () => {
    await refused(path, 401, 'unauthenticated', { scope: null, json: toggle });
    await refused(path, 403, 'forbidden', { scope: 'client', json: toggle });
    await refused(path, 403, 'forbidden', { scope: 'server', json: toggle });
  });
  test('a session without its CSRF token changes nothing', async () => {
    const reply = await server.raw(path, { scope: null, headers: { cookie: server.session.cookie }, json: toggle });
    assert.equal(reply.status, 403);
    const again = await server.raw(path, {
      scope: null,
      headers: { cookie: server.session.cookie, 'x-csrf-token': server.session.csrf },
      json: toggle,
    });
    assert.equal(again.status, 200);
  });
  test('the setup link works once', async () => {
    const token = new URL(server.setup).searchParams.get('token');
    const person = { token, email: 'eve@example.com', name: 'Eve', password: 'correct horse battery staple' };
    const reply = await server.raw('/api/setup', { scope: null, json: person });
    assert.ok([401, 403, 404, 409].includes(reply.status), String(reply.status));
  });
  test('a change is in the log with who and why', async () => {
    await server.toggle('new-checkout', true);
    const log = await changes();
    const [{ change, by }] = log.changes;
    assert.equal(change.why, 'the proofs');
    assert.equal(change.edit.edit, 'flag_toggled');
    assert.deepEqual(by, { kind: 'key', name: 'admin of the proofs' });
    await assert.rejects(server.get('/api/flags/no-such-flag'), Refused);
  });
});

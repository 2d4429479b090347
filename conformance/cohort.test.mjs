//! Conformance: a segment whose list is too long for Amplitude's rules. The official SDK loads it by itself, as
//! a cohort, and evaluates by itself as the server does.

import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalEvaluationClient } from '@amplitude/experiment-node-server';
import { make } from './flags.mjs';
import { Server, atEnd, count, fact, until } from './harness.mjs';

const members = 12_000;
const users = count(10_000);

test(`a segment by a list of ${members} ids`, async (t) => {
  const server = await Server.start(t);
  const add = Array.from({ length: members }, (_, i) => `user-${i * 2}`);
  await server.put('/api/segments/even', {});
  await server.post('/api/segments/even/ids', { list: 'included', add });
  const rule = { name: 'even', when: [[{ segment: 'even' }]], serve: { serve: 'variant', variant: 'on' } };
  await make(server, {
    create: { flag: 'evens' },
    target: { rules: [rule], default: { serve: 'variant', variant: 'off' } },
  });
  const local = new LocalEvaluationClient(server.keys.server, {
    serverUrl: server.url,
    streamServerUrl: server.url,
    streamUpdates: true,
    cohortSyncConfig: { apiKey: 'any', secretKey: server.keys.server, cohortServerUrl: server.url },
  });
  await local.start();
  atEnd(t, () => local.stop());
  const here = (i) => local.evaluateV2({ user_id: `user-${i}` }, ['evens']).evens?.key;
  let differences = 0;
  for (let i = 0; i < users; i++) {
    const { variant } = await server.ask('/ofrep/v1/evaluate/flags/evens', { context: { targetingKey: `user-${i}` } });
    if (variant !== here(i)) differences += 1;
    if (i < 100) assert.equal(variant, i % 2 === 0 ? 'on' : 'off');
  }
  assert.equal(differences, 0);
  fact('cohorts', `${users} users with a list of ${members} ids: ${differences} answers of the local SDK differ`);

  // Another list is another cohort: the stream says so, and the SDK loads it.
  await server.post('/api/segments/even/ids', { list: 'included', add: ['user-1'], remove: ['user-0'] });
  await until(() => here(1) === 'on' && here(0) === 'off');
});

//! Conformance: what is scheduled, and the steps of a ramp, happen by themselves in a running server, and an
//! OFREP client sees it; after a kill over its time, it happens once.

import assert from 'node:assert/strict';
import test from 'node:test';
import { booleanFlag, make } from './flags.mjs';
import { Server, fact, until } from './harness.mjs';
import { openFeature } from './sdk.mjs';

const flag = 'new-checkout';
const user = { targetingKey: 'user-1' };

/** Plans to turn the flag on or off so many milliseconds from now. */
async function plan(server, on, after) {
  const planned = { plan: 'toggle', flag, on };
  const at = Date.now() + after;
  const { schedule } = await server.post('/api/schedules', { environment: server.environment, planned, at });
  return schedule;
}

/** The changes of a schedule that it made itself, newest first. */
async function made(server, { key }) {
  const { changes } = await server.get(`/api/changes?schedule=${key}`);
  return changes.filter((change) => change.by.kind === 'schedule');
}

test('a scheduled change is made in its time, and an OFREP client sees it', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, flag);
  const client = await openFeature(t, server, { scope: 'client' });
  assert.equal(await client.getBooleanValue(flag, false, user), true);
  const schedule = await plan(server, false, 2_000);
  await until(async () => (await client.getBooleanValue(flag, true, user)) === false);
  const late = Date.now() - schedule.at;
  assert.ok(late >= 0, `it came ${-late} ms before its time`);
  fact('scheduled changes', `a client saw a change ${late} ms after its time`);
  const [change, ...others] = await made(server, schedule);
  assert.deepEqual(others, []);
  assert.deepEqual(change.by, { kind: 'schedule', name: 'a schedule of admin of the proofs' });
  assert.equal(change.change.why, 'the proofs');
  const { schedules } = await server.get('/api/schedules?over=true');
  assert.deepEqual(schedules[0].schedule.state, {
    state: 'done',
    at: change.change.at,
    revision: change.change.revision,
  });
});

test('a server that was killed over the time of a scheduled change makes it once', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, flag);
  const schedule = await plan(server, false, 1_000);
  await server.end('SIGKILL');
  await until(() => Date.now() > schedule.at);
  for (const round of [1, 2, 3]) {
    await server.open();
    const client = await openFeature(t, server, { scope: 'client' });
    await until(async () => (await client.getBooleanValue(flag, true, user)) === false);
    assert.equal((await made(server, schedule)).length, 1, `start ${round}`);
    await server.end('SIGKILL');
  }
  await server.open();
});

test('a ramp takes its steps by itself, up to everybody', async (t) => {
  const server = await Server.start(t);
  await make(server, { create: { flag, default: 'off' } });
  const client = await openFeature(t, server, { scope: 'client' });
  const users = Array.from({ length: 200 }, (_, i) => ({ targetingKey: `user-${i}` }));
  const holders = async () => {
    const on = await Promise.all(users.map((user) => client.getBooleanValue(flag, false, user)));
    return users.filter((_, i) => on[i]).map((user) => user.targetingKey);
  };
  const steps = [{ share: 1_000, hold: 500 }, { share: 5_000, hold: 500 }, { share: 10_000 }];
  const { environment } = server;
  await server.post(`/api/flags/${flag}/rollout`, { environment, candidate: 'on', control: 'off', steps });
  let have = await holders();
  await until(async () => {
    const now = await holders();
    assert.deepEqual(have.filter((user) => !now.includes(user)), [], 'nobody who has it loses it');
    have = now;
    return now.length === users.length;
  });
  const { changes } = await server.get(`/api/changes?flag=${flag}`);
  const taken = changes.filter((change) => change.by.kind === 'ramp').map((change) => change.change.why);
  assert.equal(taken.length, 2);
  assert.match(taken[1], /^step 2 of 3: 50% after 500 ms at 10%$/);
  assert.match(taken[0], /^step 3 of 3: 100% after 500 ms at 50%$/);
});

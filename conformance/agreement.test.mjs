//! Conformance: the server's OFREP answer and the answer that the Amplitude SDK works out by itself
//! are the same for every user, and widening a split moves nobody who had a variant.

import assert from 'node:assert/strict';
import test from 'node:test';
import { everyKind, shares, splitFlag } from './flags.mjs';
import { Server, count, fact, inParallel } from './harness.mjs';
import { amplitudeLocal } from './sdk.mjs';

const users = count(100_000);
const user = (i) => ({
  id: i % 2 === 0 ? `user-${i}` : `${i.toString(16).padStart(8, '0')}-33b7-4b22-b0bd-9fec66ba1d7d`,
  country: ['DE', 'JP', 'FR'][i % 3],
  plan: ['free', 'pro'][i % 2],
  version: ['2.0.9', '2.1.0', '10.0.1'][i % 3],
});
const steps = [
  { treatment: 500, control: 500, off: 9000 },
  { treatment: 1000, control: 1000, off: 8000 },
  { treatment: 5000, control: 5000, off: 0 },
];

test(`server and local SDK agree on ${users} users, and widening moves nobody`, async (t) => {
  const server = await Server.start(t);
  await everyKind(server);
  await splitFlag(server, 'checkout', steps[0], 'off');

  const enrolled = new Map();
  for (const [step, wanted] of steps.entries()) {
    if (step > 0) {
      await server.post('/api/flags/checkout/shares', { environment: server.environment, shares: shares(wanted) });
    }
    const local = await amplitudeLocal(t, server);
    const got = { treatment: 0, control: 0, off: 0 };
    let [compared, differences, moved] = [0, 0, 0];
    await inParallel(Array(users).keys(), 16, async (i) => {
      const { id, ...about } = user(i);
      const { plan, ...fields } = about;
      // The answer to one flag on every tenth user, the answer to all flags at once on the others.
      const path = i % 10 === 0 ? '/checkout' : '';
      const answer = await server.ask(`/ofrep/v1/evaluate/flags${path}`, { context: { targetingKey: id, ...about } });
      const here = local.evaluateV2({ user_id: id, ...fields, user_properties: { plan } });
      for (const { key, variant } of answer.flags ?? [answer]) {
        compared += 1;
        if (here[key]?.key !== variant) differences += 1;
        if (key !== 'checkout') continue;
        got[variant] += 1;
        if (enrolled.has(id) && enrolled.get(id) !== variant) moved += 1;
        if (variant !== 'off') enrolled.set(id, variant);
      }
    });
    local.stop();
    assert.equal(differences, 0);
    assert.equal(moved, 0);
    for (const [variant, share] of Object.entries(wanted)) {
      // Five standard errors: a share that is wrong by one percentage point is far outside.
      const p = share / 10_000;
      assert.ok(Math.abs(got[variant] - p * users) <= 5 * Math.sqrt(p * (1 - p) * users), `${variant}: ${got[variant]}`);
    }
    const percent = `${wanted.treatment / 100}/${wanted.control / 100}`;
    fact('agreement', `${users} users at ${percent}: ${compared} answers compared, ${differences} differ, ${moved} of those who had a variant moved`);
  }
});

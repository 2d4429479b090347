//! Conformance: the whole loop, with official SDKs from end to end. A flag serves variants, people
//! act, events come in, an experiment reaches its verdict and is shipped; and a rollout that harms
//! is halted by its guard, without anybody.
//!
//! In full 20,000 people, of whom 10% convert, have a true lift of 3 points: seven standard errors.
//! Among a tenth of them a lift of 3 points would be found in half of all runs only, so there the
//! truth is 10 points: six standard errors.

import assert from 'node:assert/strict';
import test from 'node:test';
import { booleanFlag, splitFlag } from './flags.mjs';
import { DAY, HOUR, MINUTE, Server, count, fact, full, inParallel, random } from './harness.mjs';
import { amplitudeAnalytics, amplitudeLocal, amplitudeRemote, openFeature } from './sdk.mjs';

const people = count(20_000);
const percent = (x) => `${(100 * x).toFixed(1)}%`;
const metric = { name: 'Purchase rate', event: 'purchase', measure: { measure: 'conversion' } };

/** The ways in which an application asks for a variant; each records the exposure in its own way. */
async function asking(t, server, flag, kind = 'String') {
  const feature = await openFeature(t, server);
  const read = (id) => feature[`get${kind}Details`](flag, kind === 'Boolean' ? false : 'none', { targetingKey: id });
  const remote = amplitudeRemote(server);
  const local = await amplitudeLocal(t, server);
  return {
    'OpenFeature over OFREP': async (id) => (await read(id)).variant,
    'Amplitude remote': async (id) => (await remote.fetchV2({ user_id: id }, { flagKeys: [flag], tracksExposure: true }))[flag].key,
    'Amplitude local': async (id) => local.evaluateV2({ user_id: id }, [flag], { tracksExposure: true })[flag].key,
  };
}

/** People come, are served, and buy by the true rate of what they were served. */
async function visit(analytics, { ids, ask, rates, draw, at }) {
  const sent = [];
  await inParallel(ids, 8, async (id) => {
    const variant = await ask(id);
    assert.ok(variant in rates, variant);
    if (draw(id) < rates[variant]) {
      sent.push(analytics.track('purchase', { value: 20 }, { user_id: id, time: at + MINUTE }).promise);
    }
  });
  await analytics.flush().promise;
  for (const { code, message } of await Promise.all(sent)) assert.equal(code, 200, message);
  return sent.length;
}

/** One draw per person, whatever the variant: the truth does not depend on who gets what. */
function draws(seed) {
  const rand = random(seed);
  const of = new Map();
  return (id) => of.get(id) ?? of.set(id, rand()).get(id);
}

test('a true lift ends in the verdict to ship it, and the flag serves it', async (t) => {
  const rates = { control: 0.1, treatment: full ? 0.13 : 0.2 };
  const start = Date.now();
  const server = await Server.start(t, { clock: start });
  const { environment } = server;
  const analytics = await amplitudeAnalytics(server);
  await splitFlag(server, 'checkout', { treatment: 5000, control: 5000 });
  await server.put('/api/metrics/purchase-rate', metric);
  await server.post('/api/experiments', {
    experiment: 'checkout-test',
    name: 'The new checkout',
    hypothesis: 'Fewer steps sell more.',
    flag: 'checkout',
    environment,
    control: 'control',
    metric: 'purchase-rate',
    days: 14,
  });
  await server.post('/api/experiments/checkout-test/start', {});

  const ways = Object.entries(await asking(t, server, 'checkout'));
  const days = 10;
  const draw = draws(7);
  let bought = 0;
  for (let day = 0; day < days; day++) {
    const at = start + day * DAY + (day > 0 ? 9 * HOUR : 0);
    if (day > 0) await server.advance(at);
    // The local SDK gives its exposures the time of the wall, which is the first day's.
    const [, ask] = day === 0 ? ways[2] : ways[day % 2];
    const ids = Array.from({ length: people / days }, (_, i) => `person-${day}-${i}`);
    bought += await visit(analytics, { ids, ask, rates, draw, at });
    const early = await server.get('/api/experiments/checkout-test/results');
    assert.equal(early.judgement.verdict.verdict, 'running', 'no verdict before the horizon');
  }

  await server.advance(start + 14 * DAY + MINUTE);
  const { judgement } = await server.get('/api/experiments/checkout-test/results');
  assert.deepEqual(judgement.verdict, { verdict: 'ship', variant: 'treatment' }, judgement.sentence);
  const arms = Object.fromEntries(judgement.counts.map((c) => [c.variant, c]));
  assert.equal(arms.control.units + arms.treatment.units, people, 'every exposure has come in, once');
  assert.equal(arms.control.converted + arms.treatment.converted, bought, 'every purchase has come in, once');

  // One split in a hundred warns by chance alone, and then a reason is asked for.
  const why = judgement.sample_ratio.warn ? { why: 'the split is drawn anew in every run' } : {};
  await server.call('POST', '/api/experiments/checkout-test/ship', why);
  const after = await asking(t, server, 'checkout');
  for (const [name, ask] of Object.entries(after)) {
    for (let i = 0; i < 100; i++) assert.equal(await ask(`person-1-${i}`), 'treatment', name);
  }
  const { changes } = await server.get('/api/changes?experiment=checkout-test');
  const [{ change: shipped }] = changes;
  assert.equal(shipped.edit.edit, 'experiment_shipped');
  assert.ok(shipped.why.includes(judgement.sentence), shipped.why);
  fact('the loop', `${people} people, true rates ${percent(rates.control)} and ${percent(rates.treatment)}: ${judgement.sentence}`);
  fact('the loop', `shipped, with the reason: ${shipped.why}`);
});

test('a true harm beyond the margin makes the guard halt the rollout', async (t) => {
  const rates = { off: full ? 0.1 : 0.2, on: full ? 0.06 : 0.08 };
  const margin = 0.01;
  const start = Date.now();
  const server = await Server.start(t, { clock: start });
  const { environment } = server;
  const analytics = await amplitudeAnalytics(server);
  await booleanFlag(server, 'checkout');
  await server.put('/api/metrics/purchase-rate', metric);
  await server.post('/api/flags/checkout/rollout', {
    environment, candidate: 'on', control: 'off', share: 5000, guard: { metric: 'purchase-rate', margin, window: 10 * MINUTE },
  });
  const begun = (await server.get('/api/changes')).changes[0].change.revision;

  const ways = Object.values(await asking(t, server, 'checkout', 'Boolean'));
  const draw = draws(11);
  const steps = 100;
  const rollout = async () => (await server.get(`/api/flags/checkout/guard?environment=${environment}`)).rollout;
  let [at, came] = [start, 0];
  for (let step = 0; step < steps && (await rollout()).state.state === 'widening'; step++) {
    const ids = Array.from({ length: people / steps }, (_, i) => `person-${step}-${i}`);
    await visit(analytics, { ids, ask: ways[step % 2], rates, draw, at });
    came += ids.length;
    at += 15 * MINUTE;
    await server.advance(at);
  }

  const { state } = await rollout();
  assert.equal(state.state, 'halted');
  const { changes } = await server.get('/api/changes');
  const [{ change: halt, by }, { change: before }] = changes;
  assert.equal(before.revision, begun, 'the guard acts alone, and once');
  assert.equal(by.kind, 'guard');
  assert.deepEqual(halt.by, { actor: 'guard', flag: 'checkout', environment });
  assert.equal(halt.edit.edit, 'rollout_set');
  assert.match(halt.why, /harm shown.*`purchase-rate`.*\d% of \d.*\d% of \d.*p /);
  for (const [name, ask] of Object.entries(await asking(t, server, 'checkout', 'Boolean'))) {
    for (let i = 0; i < 100; i++) assert.equal(await ask(`person-0-${i}`), 'off', name);
  }
  fact('the guard', `true rates ${percent(rates.off)} and ${percent(rates.on)}, margin ${percent(margin)}: halted after ${came} of ${people} people: ${halt.why}`);
});

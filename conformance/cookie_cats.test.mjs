//! Conformance: a real experiment with published numbers, Cookie Cats, gives those numbers. Its rows come
//! in as exposures and outcomes by the batch protocol; the data is not ours and is read, never kept.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { splitFlag } from './flags.mjs';
import { DAY, HOUR, Server, fact, sharedFile } from './harness.mjs';

/** Equal in nine digits. */
function close(actual, wanted) {
  assert.ok(Math.abs(actual / wanted - 1) < 1e-9, `${actual} is not ${wanted}`);
}

test('Cookie Cats: retention after 7 days, its p-value and the warning about the sample ratio', async (t) => {
  const file = sharedFile('data/datasets/cookie_cats.csv');
  if (!file) return;
  const [head, ...rows] = readFileSync(file, 'utf8').trim().split(/\r?\n/).map((line) => line.split(','));
  const column = (name) => head.indexOf(name);
  const [user, variant, retained] = [column('userid'), column('version'), column('retention_7')];

  const start = Date.now() - 30 * DAY;
  const server = await Server.start(t, { clock: start });
  await splitFlag(server, 'gate', { gate_30: 5000, gate_40: 5000 });
  await server.put('/api/metrics/retention-7', { name: 'Back on day 7', event: 'came back', measure: { measure: 'conversion' } });
  await server.post('/api/experiments', {
    experiment: 'gate', flag: 'gate', environment: server.environment, control: 'gate_30', metric: 'retention-7', days: 14,
  });
  await server.post('/api/experiments/gate/start', {});

  const events = rows.flatMap((row) => {
    const exposure = {
      event_type: '$exposure', user_id: row[user], time: start + HOUR, insert_id: 'exposure',
      event_properties: { flag_key: 'gate', variant: row[variant] },
    };
    const back = { event_type: 'came back', user_id: row[user], time: start + 7 * DAY, insert_id: 'back' };
    return row[retained] === 'TRUE' ? [exposure, back] : [exposure];
  });
  for (let at = 0; at < events.length; at += 2000) {
    const body = { api_key: server.keys.server, events: events.slice(at, at + 2000), options: { min_id_length: 1 } };
    assert.equal((await server.ask('/batch', body)).code, 200);
  }

  await server.advance(start + 15 * DAY);
  const { judgement } = await server.get('/api/experiments/gate/results');
  const counts = Object.fromEntries(judgement.counts.map((c) => [c.variant, [c.units, c.converted]]));
  assert.deepEqual(counts, { gate_30: [44_700, 8_502], gate_40: [45_489, 8_279] });
  close(judgement.counts.find((c) => c.variant === 'gate_30').mean, 0.19020134228187918);
  close(judgement.counts.find((c) => c.variant === 'gate_40').mean, 0.18200004396667327);
  const [{ variant: compared, compared: found }] = judgement.comparisons;
  assert.equal(compared, 'gate_40');
  close(found.estimate, -0.008201298315205913);
  close(found.p, 0.001554249975614329);
  close(judgement.sample_ratio.p, 0.008607987810836262);
  assert.deepEqual([judgement.sample_ratio.warn, judgement.sample_ratio.broken], [true, false]);
  assert.deepEqual(judgement.verdict, { verdict: 'keep', variant: 'gate_30' });
  fact('Cookie Cats', `p = ${found.p.toPrecision(3)}, sample ratio p = ${judgement.sample_ratio.p.toPrecision(2)}: ${judgement.sentence}`);
});

//! Conformance: a real experiment with published numbers, Cookie Cats, gives those numbers when its file
//! is imported on the command line, once or twice. The data is not ours and is read, never kept.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { Server, binary, fact, sharedFile } from './harness.mjs';

/** Equal in nine digits. */
function close(actual, wanted) {
  assert.ok(Math.abs(actual / wanted - 1) < 1e-9, `${actual} is not ${wanted}`);
}

test('Cookie Cats: retention after 7 days, its p-value and the warning about the sample ratio', async (t) => {
  const file = sharedFile('data/datasets/cookie_cats.csv');
  if (!file) return;
  const server = await Server.start(t);
  const bellwether = (...args) =>
    promisify(execFile)(binary, args, {
      env: { ...process.env, BELLWETHER_SERVER: server.url, BELLWETHER_KEY: server.keys.admin },
    });
  const map = 'unit=userid,variant=version,metric:retention_7=retention_7';
  const asked = ['import', 'csv', file, '--flag', 'gate', '--map', map, '--share', 'gate_30=50,gate_40=50', '--started', '2020-02-01'];

  const first = await bellwether(...asked, '--json');
  assert.match(first.stderr, /90,189 exposures and 16,781 outcome events, dated 2020-02-01/);
  const { judgement } = JSON.parse(first.stdout);
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

  const { events } = await server.get('/api/events?environment=production');
  const second = await bellwether(...asked);
  assert.match(second.stdout, /^already imported/);
  assert.deepEqual((await server.get('/api/events?environment=production')).events, events);
  const other = await bellwether(...asked, '--control', 'gate_40').catch((refused) => refused);
  assert.match(other.stderr, /control: `gate_30` is there, `gate_40` is asked\nhint: /);

  fact('Cookie Cats', `p = ${found.p.toPrecision(3)}, sample ratio p = ${judgement.sample_ratio.p.toPrecision(2)}: ${judgement.sentence}`);
});

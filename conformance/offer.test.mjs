//! Conformance: a flag with all that a flag can have (a segment, a prerequisite, a layer, a holdout and a split in
//! three), asked in every way that Node has, and by the official flagd provider for Rust. All give every user what
//! the server gives.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { offer } from './flags.mjs';
import { Server, atEnd, count, fact, inParallel, root, until } from './harness.mjs';
import { amplitudeLocal, flagdInProcess, openFeature } from './sdk.mjs';

const users = count(100_000);
const country = (i) => ['DE', 'JP', 'FR'][i % 3];
const ascii = (i) => ({
  targetingKey: i % 2 === 0 ? `user-${i}` : `${i.toString(16).padStart(8, '0')}-33b7-4b22-b0bd-9fec66ba1d7d`,
  country: country(i),
});
/** Half of them have ids that are not ASCII. */
const anybody = (i) => ({
  targetingKey: i % 2 === 0 ? `user-${i}` : `${['käyttäjä', 'ключ', '用户', '🦊'][i % 4]}-${i}`,
  country: country(i),
});

/**
 * Asks the server for all flags of every user, and each of `ways` for `offer` and `gate`. A way gives `{ variant }`,
 * and the `value` where it has one of its own.
 */
async function agree(server, user, ways) {
  const differences = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  const got = {};
  await inParallel(Array(users).keys(), 16, async (i) => {
    const context = user(i);
    const { flags } = await server.ask('/ofrep/v1/evaluate/flags', { context });
    assert.deepEqual(flags.map(({ key }) => key).sort(), ['gate', 'offer']);
    for (const { key, variant, value } of flags) {
      if (key === 'offer') got[variant] = (got[variant] ?? 0) + 1;
      for (const [way, ask] of Object.entries(ways)) {
        const here = await ask(key, context);
        if (here.variant !== variant || ('value' in here && here.value !== value)) {
          differences[way].push({ context, key, here, there: { variant, value } });
        }
      }
    }
  });
  for (const [way, wrong] of Object.entries(differences)) {
    assert.deepEqual(wrong.slice(0, 3), [], `${way}: ${wrong.length} answers differ`);
    fact('every SDK', `${way}: ${2 * users} answers on ${users} users compared with OFREP's, 0 differ`);
  }
  // Everybody is divided: two thirds are in the segment, and of these 80% have the prerequisite, 95% are not
  // held and 70% are in the layer.
  const inside = (2 / 3) * 0.8 * 0.95 * 0.7;
  for (const [variant, share] of Object.entries({ a: 0.1 * inside, b: 0.3 * inside, c: 0.6 * inside, off: 1 - inside })) {
    const spread = 5 * Math.sqrt(share * (1 - share) * users);
    assert.ok(Math.abs(got[variant] - share * users) <= spread, `${variant}: ${JSON.stringify(got)}`);
  }
}

/** What an OpenFeature client says of a flag. */
const said = (client) => (flag, context) =>
  flag === 'gate' ? client.getBooleanDetails(flag, false, context) : client.getStringDetails(flag, 'default', context);

test(`every SDK of Node gives ${users} users what the server gives`, async (t) => {
  const server = await Server.start(t);
  await offer(server);
  const amplitude = await amplitudeLocal(t, server);
  await agree(server, ascii, {
    'OFREP provider for Node': said(await openFeature(t, server)),
    'flagd in-process provider for Node': said(await flagdInProcess(t, server)),
    'Amplitude local evaluation in Node': (flag, { targetingKey, country }) => {
      const variant = amplitude.evaluateV2({ user_id: targetingKey, country }, [flag])[flag];
      return { variant: variant?.key };
    },
  });
});

/** flagd's provider for Rust in a process of its own, ready: a question is `{flag, type, context}`. */
async function flagdRust(t, server) {
  const program = join(root, 'target', 'flagd-rust', 'debug', 'bellwether-flagd-rust');
  assert.ok(existsSync(program), `${program} is not built\nhint: make flagd-rust`);
  const { hostname, port } = new URL(server.url);
  const settings = {
    FLAGD_RESOLVER: 'in-process',
    FLAGD_HOST: hostname,
    FLAGD_PORT: port,
    FLAGD_SOURCE_SELECTOR: `flagSetId=${server.keys.server}`,
  };
  const child = spawn(program, { env: { ...process.env, ...settings }, stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  const next = () =>
    Promise.race([
      new Promise((heard) => waiting.push(heard)),
      exit.then(([code, signal]) => assert.fail(`the provider's process ended with ${code ?? signal}`)),
    ]);
  atEnd(t, async () => {
    child.stdin.end();
    const [code] = await exit;
    assert.equal(code, 0);
  });
  assert.equal(await next(), 'ready');
  return async (question) => {
    const answer = next();
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return JSON.parse(await answer);
  };
}

test(`the flagd provider for Rust gives ${users} users what the server gives where CBOR is hashed`, async (t) => {
  const server = await Server.start(t, { environment: 'development' });
  await server.put('/api/environments/development', { bucketing: 'cbor' });
  await offer(server);
  const ask = await flagdRust(t, server);
  const type = { gate: 'boolean', offer: 'string' };
  await agree(server, anybody, {
    'flagd in-process provider for Rust, CBOR': (flag, context) => ask({ flag, type: type[flag], context }),
  });
  // It hears of changes, and says what it cannot answer.
  const gate = { flag: 'gate', type: 'boolean', context: anybody(0) };
  await server.toggle('gate', false);
  await until(() => ask(gate), ({ variant }) => variant === 'off');
  const { errorCode } = await ask({ ...gate, flag: 'no-such-flag' });
  assert.match(errorCode, /^FLAG_NOT_FOUND/);
});

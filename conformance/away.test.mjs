//! Conformance: Amplitude's local SDK goes on answering while the server is away, and catches up. It needs what the README says
//! of it: without that line the SDK ends the program.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { booleanFlag } from './flags.mjs';
import { Server, atEnd, until } from './harness.mjs';

/** The program with a flag, and what it has printed. */
function program(t, server, flag, ...more) {
  const file = fileURLToPath(new URL('away.mjs', import.meta.url));
  const child = spawn(process.execPath, [file, server.url, server.keys.server, flag, ...more], { stdio: ['ignore', 'pipe', 'ignore'] });
  atEnd(t, () => child.kill());
  const answers = [];
  createInterface({ input: child.stdout }).on('line', (line) => answers.push(line));
  return { child, answers };
}

for (const signal of ['SIGKILL', 'SIGTERM']) {
  test(`it goes on after ${signal}, and catches up`, async (t) => {
    const server = await Server.start(t);
    await booleanFlag(server, 'kept');
    const { child, answers } = program(t, server, 'kept', 'handled');
    await until(() => answers.length > 0);
    const { host } = new URL(server.url);
    await server.end(signal);
    await server.open({ listen: host });
    await server.toggle('kept', false);
    await until(() => answers.length > 1, Boolean, 60_000);
    await server.toggle('kept', true);
    await until(() => answers.length > 2, Boolean, 60_000);
    assert.deepEqual([answers, child.exitCode], [['on', 'off', 'on'], null]);
  });
}

test('what the documentation says of the SDK without the handler is still so', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, 'kept');
  const { child, answers } = program(t, server, 'kept');
  await until(() => answers.length > 0);
  const ended = once(child, 'exit');
  await server.end('SIGTERM');
  assert.equal((await ended)[0], 1, 'once it is 0 or never, the README can leave the line out');
});

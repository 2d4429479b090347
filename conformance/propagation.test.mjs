//! Conformance: a toggled flag reaches a connected OFREP web client, in a real browser, and a
//! streaming Amplitude client in under a second.

import assert from 'node:assert/strict';
import test from 'node:test';
import { applicationPage } from './browser.mjs';
import { booleanFlag } from './flags.mjs';
import { Server, count, fact, until } from './harness.mjs';
import { amplitudeLocal } from './sdk.mjs';

const user = 'user-1';
const flag = 'new-checkout';

test('a toggle reaches a connected web client and a streaming client within a second', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, flag);

  const page = await applicationPage(t);
  let shown;
  let shownAt;
  await page.exposeFunction('shown', (details, at) => {
    shown = details.value;
    shownAt = at;
  });
  const stream = page.waitForResponse((reply) => reply.url().includes('/ofrep/v1/stream'));
  const connect = { baseUrl: server.url, key: server.keys.client, user, flag, report: 'shown' };
  await page.evaluate((options) => window.connect(options), connect);
  assert.equal(shown, true);
  assert.equal((await stream).status(), 200);

  const local = await amplitudeLocal(t, server, { streaming: true });
  const evaluated = () => local.evaluateV2({ user_id: user }, [flag])[flag]?.key;
  assert.equal(evaluated(), 'on');

  const toggles = count(200);
  const latencies = { web: [], stream: [] };
  for (let i = 0; i < toggles; i++) {
    const on = i % 2 === 1;
    const asked = Date.now();
    const web = until(() => shown === on).then(() => latencies.web.push(shownAt - asked));
    const streamed = until(() => evaluated() === (on ? 'on' : 'off')).then(() => latencies.stream.push(Date.now() - asked));
    await server.toggle(flag, on);
    await Promise.all([web, streamed]);
  }
  for (const [name, ms] of Object.entries(latencies)) {
    ms.sort((a, b) => a - b);
    const [median, slowest] = [ms[Math.floor(ms.length / 2)], ms.at(-1)];
    const client = { web: 'OFREP web client in Chromium', stream: 'Amplitude streaming client' }[name];
    fact('propagation', `${toggles} toggles to the ${client}: median ${median} ms, slowest ${slowest} ms`);
    assert.ok(slowest < 1000, `the slowest of ${toggles} took ${slowest} ms`);
  }
});

//! Conformance: a toggled flag reaches a connected OFREP web client, in a real browser, and a
//! streaming Amplitude client in under a second; toggled by a program, and by a person in the page.

import assert from 'node:assert/strict';
import test from 'node:test';
import { applicationPage, productPage } from './browser.mjs';
import { booleanFlag } from './flags.mjs';
import { Server, count, fact, until } from './harness.mjs';
import { amplitudeLocal } from './sdk.mjs';

const user = 'user-1';
const flag = 'new-checkout';
const toggles = count(200);

/** Both clients, connected: `both(on, toggle)` toggles and gives the milliseconds until each knew. */
async function clients(t, server) {
  const page = await applicationPage(t);
  let shown = {};
  await page.exposeFunction('shown', (details, at) => (shown = { on: details.value, at }));
  const stream = page.waitForResponse((reply) => reply.url().includes('/ofrep/v1/stream'));
  const connect = { baseUrl: server.url, key: server.keys.client, user, flag, report: 'shown' };
  await page.evaluate((options) => window.connect(options), connect);
  assert.equal(shown.on, true);
  assert.equal((await stream).status(), 200);

  const local = await amplitudeLocal(t, server, { streaming: true });
  const evaluated = () => local.evaluateV2({ user_id: user }, [flag])[flag]?.key;
  assert.equal(evaluated(), 'on');

  return async (on, toggle) => {
    const web = until(() => shown.on === on).then(() => shown.at);
    const streamed = until(() => evaluated() === (on ? 'on' : 'off')).then(() => Date.now());
    const asked = await toggle();
    return { web: (await web) - asked, stream: (await streamed) - asked };
  };
}

function judged(by, latencies) {
  const names = { web: 'OFREP web client in Chromium', stream: 'Amplitude streaming client' };
  for (const [which, name] of Object.entries(names)) {
    const ms = latencies.map((l) => l[which]).sort((a, b) => a - b);
    const [median, slowest] = [ms[Math.floor(ms.length / 2)], ms.at(-1)];
    fact('propagation', `${ms.length} toggles ${by} to the ${name}: median ${median} ms, slowest ${slowest} ms`);
    assert.ok(slowest < 1000, `the slowest of ${ms.length} took ${slowest} ms`);
  }
}

test('a toggle by the API reaches both clients within a second', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, flag);
  const both = await clients(t, server);
  const latencies = [];
  for (let i = 0; i < toggles; i++) {
    const on = i % 2 === 1;
    latencies.push(
      await both(on, async () => {
        const asked = Date.now();
        await server.toggle(flag, on);
        return asked;
      }),
    );
  }
  judged('by the API', latencies);
});

test('a toggle by a person in the page reaches both clients within a second', async (t) => {
  const server = await Server.start(t);
  await booleanFlag(server, flag);
  const both = await clients(t, server);
  const page = await productPage(t, server, '/flags');
  // The page's own clock at the click that confirms, so that the drive to it does not count.
  await page.evaluate(() => document.addEventListener('click', () => (window.clicked = Date.now()), true));
  const toggle = page.getByRole('switch', { name: new RegExp(`^${flag} in `) });
  const latencies = [];
  for (let i = 0; i < toggles; i++) {
    const on = i % 2 === 1;
    latencies.push(
      await both(on, async () => {
        await toggle.click({ force: true });
        const dialog = page.getByRole('dialog');
        await dialog.getByRole('textbox').fill(`toggle ${i}`);
        await dialog.getByRole('button', { name: on ? 'Turn on' : 'Turn off' }).click();
        const clicked = await page.evaluate(() => window.clicked);
        await dialog.waitFor({ state: 'detached' });
        return clicked;
      }),
    );
  }
  const { changes } = await server.get(`/api/changes?flag=${flag}`);
  assert.deepEqual([changes[0].by, changes[0].change.why], [{ kind: 'person', name: 'Ada' }, `toggle ${toggles - 1}`]);
  judged('in the page', latencies);
});

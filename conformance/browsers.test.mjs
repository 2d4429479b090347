//! Conformance: the official browser SDKs of Amplitude, Segment, PostHog and Mixpanel in a real Chromium: what they
//! send by themselves and what a page tells them is stored, about the right people, also after being offline.

import assert from 'node:assert/strict';
import test from 'node:test';
import { applicationPage } from './browser.mjs';
import { Server, until } from './harness.mjs';
import { total, totals } from './queries.mjs';

/** The stored events in the order of their times, once `complete` says that they are all there. */
async function stored(server, complete) {
  const asked = `/api/events/recent?environment=${server.environment}&limit=100`;
  const { events } = await until(() => server.get(asked), ({ events }) => complete(events.map((e) => e.event)), 20_000);
  return events.reverse();
}

const has = (...names) => (events) => names.every((name) => events.includes(name));

/** A page with an SDK in it, and what it asked whom for: `asked` has lines such as `POST /2/httpapi 200`. */
async function pageWith(t, server, script, how) {
  const page = await applicationPage(t, script, how);
  const requests = { asked: [], elsewhere: [], bodies: [] };
  const note = (request, outcome) => {
    const url = new URL(request.url());
    if (url.origin === new URL(page.url()).origin || url.protocol === 'data:' || url.protocol === 'blob:') return;
    if (url.origin !== server.url) return requests.elsewhere.push(`${request.method()} ${request.url()}`);
    requests.asked.push(`${request.method()} ${url.pathname.replace(server.keys.client, '<key>')} ${outcome}`);
    requests.bodies.push({ path: url.pathname, headers: request.headers() });
  };
  page.on('response', (response) => note(response.request(), response.status()));
  page.on('requestfailed', (request) => note(request, request.failure().errorText));
  const errors = [];
  page.on('pageerror', (error) => errors.push(error));
  return { page, requests, errors };
}

/** Starts Amplitude's SDK in a page, but for times as its documentation says. */
const amplitude = (page, server, options = {}, user = undefined) =>
  page.evaluate(async ({ url, key, user, options }) => {
    const settings = { serverUrl: `${url}/2/httpapi`, remoteConfig: { serverUrl: `${url}/config` }, flushIntervalMillis: 20 };
    await window.amplitude.init(key, user, { ...settings, ...options }).promise;
    return { device: window.amplitude.getDeviceId(), session: window.amplitude.getSessionId() };
  }, { url: server.url, key: server.keys.client, user, options });

test('Amplitude: what the browser SDK sends by itself and is told is stored as the reference says', async (t) => {
  const server = await Server.start(t);
  const { page, requests, errors } = await pageWith(t, server, 'amplitude');
  const { device, session } = await amplitude(page, server);
  await page.evaluate(async () => {
    const { amplitude } = window;
    // Whoever is signed in when the SDK comes to an event did it.
    await amplitude.track('Song Played', { title: 'α✓', length: 201.5 }).promise;
    amplitude.setUserId('user-1');
    amplitude.identify(new amplitude.Identify().set('plan', 'pro').setOnce('first', 'a').add('logins', 1));
    amplitude.setGroup('org', 'acme');
    amplitude.groupIdentify('org', 'acme', new amplitude.Identify().set('tier', 'gold'));
    amplitude.revenue(new amplitude.Revenue().setPrice(9.5).setQuantity(2).setProductId('tea'));
    amplitude.track('Song Paused');
    await amplitude.flush().promise;
  });
  const events = await stored(server, has('Song Paused', 'revenue_amount', '$groupidentify', '[Amplitude] Page Viewed'));
  const one = (name) => {
    const found = events.filter((e) => e.event === name);
    assert.equal(found.length, 1, `${name}: ${JSON.stringify(events.map((e) => e.event))}`);
    return found[0];
  };
  // Before anybody signed in it is the device's, in the session that the SDK began.
  for (const name of ['session_start', '[Amplitude] Page Viewed', 'Song Played']) {
    assert.deepEqual(one(name).who, { device }, name);
    assert.equal(one(name).session, session, name);
  }
  const first = events.find((e) => e.event === '$identify');
  assert.deepEqual(first.who, { device });
  assert.equal(one('[Amplitude] Page Viewed').properties['[Amplitude] Page URL'], page.url());
  const played = one('Song Played');
  assert.equal(played.properties.title, 'α✓');
  assert.equal(played.properties.length, 201.5);
  assert.equal(played.user_properties.initial_utm_source, 'EMPTY', 'the SDK sets it once by itself');
  assert.equal(played.user_properties.plan, undefined, 'what is learned later is not known before');
  assert.equal(played.user_properties.platform, 'Web');
  assert.equal(played.user_properties.ip, '127.0.0.0');
  assert.match(played.user_properties.user_agent, /Chrome/);
  assert.match(played.user_properties.library, /^amplitude-ts\/2\.47\.0/);
  const paused = one('Song Paused');
  assert.deepEqual(paused.who, { both: { user: 'user-1', device } });
  const { plan, first: once, logins } = paused.user_properties;
  assert.deepEqual({ plan, once, logins }, { plan: 'pro', once: 'a', logins: 1 });
  assert.deepEqual(paused.user_properties.org, 'acme', 'a group is a property of the user, and the SDK says it once');
  assert.deepEqual(one('$groupidentify').groups, { org: 'acme' });
  assert.deepEqual(one('$groupidentify').group_properties, { org: { acme: { tier: 'gold' } } });
  assert.equal(one('revenue_amount').properties.$revenue, 19, 'price times quantity');
  assert.equal((await totals(server, { event: '_any' })).get(null).users, 1, 'the visitor is the user');
  assert.equal(await total(server, '_any', { by: undefined }), events.filter((e) => !/^\$(group)?identify$/.test(e.event)).length);
  assert.ok(requests.asked.includes('GET /config/<key> 200'), requests.asked.join('\n'));
  assert.deepEqual(requests.asked.filter((line) => !/ 200$/.test(line)), []);
  assert.deepEqual(requests.elsewhere, []);
  assert.deepEqual(errors, []);
});

test('Amplitude: a headless browser is a program, which is left out of answers and counted', async (t) => {
  const server = await Server.start(t);
  const { page } = await pageWith(t, server, 'amplitude', { headless: true });
  await amplitude(page, server, { autocapture: false }, 'user-1');
  await page.evaluate(() => window.amplitude.track('Seen').promise);
  const [seen] = (await stored(server, has('Seen'))).filter((e) => e.event === 'Seen');
  assert.equal(seen.properties.$bot, 'agent');
  assert.equal(await total(server, 'Seen'), 0);
  const { events } = await server.get(`/api/events?environment=${server.environment}`);
  assert.equal(events.find((e) => e.event === 'Seen').bots, 1);
});

test('Amplitude: half an hour of nothing begins another session', async (t) => {
  const server = await Server.start(t);
  const { page } = await pageWith(t, server, 'amplitude');
  await page.clock.install();
  const { session } = await amplitude(page, server, { autocapture: { sessions: true } }, 'user-1');
  await page.evaluate(() => window.amplitude.track('Opened').promise);
  await page.clock.fastForward('31:00');
  await page.evaluate(() => window.amplitude.track('Opened again').promise);
  const events = await stored(server, has('Opened', 'Opened again', 'session_end'));
  const of = (name) => events.filter((e) => e.event === name).map((e) => e.session);
  const [later] = of('Opened again');
  assert.deepEqual(of('Opened'), [session]);
  assert.ok(later >= session + 31 * 60_000, `${later} after ${session}`);
  assert.deepEqual(of('session_start').sort(), [session, later]);
  assert.deepEqual(of('session_end'), [session]);
});

test('Amplitude: what happened offline, or while the server was dead, is stored once', async (t) => {
  const server = await Server.start(t);
  const listen = new URL(server.url).host;
  const { page } = await pageWith(t, server, 'amplitude');
  await amplitude(page, server, { autocapture: false }, 'user-1');
  await page.context().setOffline(true);
  await page.evaluate(() => void window.amplitude.track('Offline'));
  await page.context().setOffline(false);
  await until(() => total(server, 'Offline'), (n) => n === 1);
  await server.end('SIGKILL');
  const failed = page.waitForEvent('requestfailed');
  await page.evaluate(() => void window.amplitude.track('Server dead'));
  await failed;
  // The page is left, and opened again when there is a server: what was not sent was kept.
  await page.reload();
  await server.open({ listen });
  await amplitude(page, server, { autocapture: false }, 'user-1');
  await page.evaluate(() => window.amplitude.track('Afterwards').promise);
  await until(() => total(server, 'Server dead'), (n) => n === 1);
  for (const event of ['Offline', 'Server dead', 'Afterwards']) assert.equal(await total(server, event), 1, event);
});

test('Amplitude: gzip needs a preflight, and a beacon is text', async (t) => {
  const server = await Server.start(t);
  const { page, requests } = await pageWith(t, server, 'amplitude');
  await amplitude(page, server, { autocapture: false, enableRequestBodyCompression: true }, 'user-1');
  await page.evaluate(() => window.amplitude.track('Long', { text: 'x'.repeat(900), more: 'y'.repeat(900), yet: 'z'.repeat(900) }).promise);
  assert.equal(await total(server, 'Long'), 1);
  assert.ok(requests.bodies.some(({ headers }) => headers['content-encoding'] === 'gzip'), 'the body was packed');
  await page.evaluate(() => {
    window.amplitude.setTransport('beacon');
    window.amplitude.track('Left');
    window.amplitude.flush();
  });
  await until(() => total(server, 'Left'), (n) => n === 1);
});

test('Segment: analytics.js delivers, with the settings in the page', async (t) => {
  const server = await Server.start(t);
  const { page, requests, errors } = await pageWith(t, server, 'segment');
  const anonymous = await page.evaluate(async ({ host, key }) => {
    const settings = { integrations: { 'Segment.io': { apiKey: key, apiHost: `${host}/v1`, protocol: 'http' } } };
    const [analytics] = await window.AnalyticsBrowser.load({ writeKey: key, cdnSettings: settings });
    await analytics.page('Home');
    await analytics.track('Visited', { n: 1 });
    const anonymous = analytics.user().anonymousId();
    await analytics.identify('user-1', { plan: 'pro' });
    await analytics.group('acme', { tier: 'gold' });
    await analytics.track('Bought', { price: 9.5 });
    return anonymous;
  }, { host: new URL(server.url).host, key: server.keys.client });
  const events = await stored(server, has('Page Viewed', 'Visited', '$identify', '$groupidentify', 'Bought'));
  const of = (name) => events.find((e) => e.event === name);
  assert.equal(events.length, 5);
  assert.deepEqual(of('Visited').who, { device: anonymous });
  assert.deepEqual(of('Bought').who, { both: { user: 'user-1', device: anonymous } });
  assert.equal(of('Bought').properties.price, 9.5);
  assert.equal(of('Bought').user_properties.plan, 'pro');
  assert.equal(of('Page Viewed').properties.url, page.url());
  assert.match(of('Bought').user_properties.library, /^analytics\.js\//);
  assert.equal((await totals(server, { event: '_any' })).get(null).users, 1);
  assert.deepEqual(requests.asked.filter((line) => !/ 200$/.test(line)), []);
  assert.deepEqual(requests.elsewhere, []);
  assert.deepEqual(errors, []);
});

test('PostHog: posthog-js delivers', async (t) => {
  const server = await Server.start(t);
  const { page, requests, errors } = await pageWith(t, server, 'posthog');
  const device = await page.evaluate(({ url, key }) => {
    // A headless browser is a bot to the SDK, which then sends nothing.
    window.posthog.init(key, { api_host: url, request_batching: false, opt_out_useragent_filter: true });
    window.posthog.capture('Visited', { n: 1 });
    const device = window.posthog.get_distinct_id();
    window.posthog.identify('user-1', { plan: 'pro' }, { first: 'a' });
    window.posthog.group('company', 'acme', { tier: 'gold' });
    return device;
  }, { url: server.url, key: server.keys.client });
  // Each event is a request of its own, and a browser sends them side by side: a group that arrives after the
  // purchase is not known to it.
  await stored(server, has('Visited', '$identify', '$groupidentify'));
  await page.evaluate(() => window.posthog.capture('Bought', { price: 9.5 }));
  const events = await stored(server, has('Visited', '$identify', '$groupidentify', 'Bought', '$pageview'));
  const of = (name) => events.find((e) => e.event === name);
  assert.deepEqual(of('Visited').who, { device });
  assert.deepEqual(of('Bought').who, { both: { user: 'user-1', device } });
  assert.equal(of('Bought').properties.price, 9.5);
  assert.equal(of('Bought').user_properties.plan, 'pro');
  assert.deepEqual(of('Bought').group_properties, { company: { acme: { tier: 'gold' } } });
  assert.deepEqual(of('$groupidentify').who, of('Bought').who, 'whoever is there tells of it');
  assert.equal((await totals(server, { event: '_any' })).get(null).users, 1);
  // Its settings and its flags are not here: it goes on with what it has by itself.
  const answered = (line) => requests.asked.filter((asked) => asked.startsWith(line));
  assert.deepEqual(answered('POST /e/').filter((line) => !/ 200$/.test(line)), []);
  for (const path of ['GET /array/<key>/config', 'POST /flags/']) assert.ok(answered(path).every((line) => /FAILED/.test(line)), path);
  assert.deepEqual(requests.elsewhere, []);
  assert.deepEqual(errors, []);
});

test('Mixpanel: mixpanel-browser delivers', async (t) => {
  const server = await Server.start(t);
  const { page, requests, errors } = await pageWith(t, server, 'mixpanel');
  const device = await page.evaluate(({ url, key }) => {
    const { mixpanel } = window;
    mixpanel.init(key, { api_host: url, batch_flush_interval_ms: 20, track_pageview: true });
    mixpanel.track('Visited', { n: 1 });
    const device = mixpanel.get_property('$device_id');
    mixpanel.identify('user-1');
    mixpanel.people.set({ plan: 'pro' });
    mixpanel.set_group('company', 'acme');
    mixpanel.get_group('company', 'acme').set({ tier: 'gold' });
    mixpanel.track('Bought', { price: 9.5 });
    return device;
  }, { url: server.url, key: server.keys.client });
  const events = await stored(server, has('Visited', '$identify', '$groupidentify', 'Bought'));
  const of = (name) => events.find((e) => e.event === name);
  assert.deepEqual(of('Visited').who, { device });
  assert.deepEqual(of('Bought').who, { both: { user: 'user-1', device } });
  assert.equal(of('Bought').properties.price, 9.5);
  assert.equal((await totals(server, { event: '_any' })).get(null).users, 1);
  assert.ok(requests.asked.length > 0);
  assert.deepEqual(requests.asked.filter((line) => !/ 200$/.test(line)), [], 'the page may read every answer');
  assert.deepEqual(requests.elsewhere, []);
  assert.deepEqual(errors, []);
});

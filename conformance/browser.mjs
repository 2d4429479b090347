//! Conformance: a real headless Chromium on a page of another origin than the server's, so that
//! CORS, `EventSource` and caching are the browser's own.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { atEnd } from './harness.mjs';

const here = dirname(fileURLToPath(import.meta.url));

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  return execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome'], { encoding: 'utf8' }).trim();
}

async function chromiumFor(t) {
  const browser = await chromium.launch({
    executablePath: executable(),
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-quic', '--no-first-run',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
      // No name leads anywhere: whatever an SDK asks its maker for stays here.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  atEnd(t, () => browser.close());
  return browser;
}

/**
 * A page of an application, with one of the scripts of `page/` in it, open in Chromium, which calls itself what a
 * person's does, or what it does by itself: `HeadlessChrome`, a program.
 */
export async function applicationPage(t, script = 'client', { headless = false } = {}) {
  const bundle = await build({
    entryPoints: [join(here, 'page', `${script}.mjs`)],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    write: false,
    logLevel: 'error',
  });
  const text = bundle.outputFiles[0].text;
  const site = createServer((request, reply) => {
    const isScript = request.url === '/client.js';
    reply.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    reply.end(isScript ? text : '<!doctype html><title>application</title><script src="/client.js"></script>');
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  atEnd(t, () => site.close());
  const browser = await chromiumFor(t);
  const own = await browser.newPage();
  const userAgent = (await own.evaluate(() => navigator.userAgent)).replace('HeadlessChrome', 'Chrome');
  const page = headless ? own : await browser.newPage({ userAgent });
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  return page;
}

/** The product's own page, in a browser of its own, with its first admin logged in. */
export async function productPage(t, server, path) {
  const context = await (await chromiumFor(t)).newContext({ reducedMotion: 'reduce' });
  const cookies = server.session.cookie.split('; ').map((pair) => {
    const [name, ...value] = pair.split('=');
    return { name, value: value.join('='), url: server.url };
  });
  await context.addCookies(cookies);
  const page = await context.newPage();
  await page.goto(server.url + path);
  return page;
}

//! Conformance: the official SDKs, each as its documentation says to set it up, pointed at a
//! running server. No SDK is patched; what differs from the defaults is stated here.

import { createInstance } from '@amplitude/analytics-node';
import { LocalEvaluationClient, RemoteEvaluationClient } from '@amplitude/experiment-node-server';
import { FlagdProvider } from '@openfeature/flagd-provider';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';
import { atEnd } from './harness.mjs';

let domains = 0;

/** An OpenFeature client over OFREP, as a server-side application has it. */
export async function openFeature(t, server, { scope = 'server' } = {}) {
  const domain = `proof-${++domains}`;
  const provider = new OFREPProvider({
    baseUrl: server.url,
    headers: [['Authorization', `Bearer ${server.keys[scope]}`]],
  });
  await OpenFeature.setProviderAndWait(domain, provider);
  atEnd(t, () => OpenFeature.clearProviders());
  return OpenFeature.getClient(domain);
}

/**
 * flagd's in-process provider as its documentation says, but for a retry that does not wait two minutes, and for
 * a deadline that a machine keeps on which tests and compilers run beside each other.
 */
export function flagdProvider(server, options = {}) {
  const { hostname, port } = new URL(server.url);
  return new FlagdProvider({
    resolverType: 'in-process',
    host: hostname,
    port: Number(port),
    selector: `flagSetId=${server.keys.server}`,
    deadlineMs: 10_000,
    retryBackoffMs: 50,
    retryBackoffMaxMs: 200,
    ...options,
  });
}

/** An OpenFeature client over flagd's in-process provider, ready. */
export async function flagdInProcess(t, server, options) {
  const domain = `proof-${++domains}`;
  const provider = flagdProvider(server, options);
  atEnd(t, () => provider.onClose());
  await OpenFeature.setProviderAndWait(domain, provider);
  return OpenFeature.getClient(domain);
}

/** Amplitude Experiment, remote evaluation. */
export function amplitudeRemote(server, { scope = 'client' } = {}) {
  return new RemoteEvaluationClient(server.keys[scope], { serverUrl: server.url, fetchRetries: 0 });
}

/**
 * Amplitude Experiment, local evaluation, started. Exposures are sent after 50 ms instead of 10 s.
 * Without `streaming` it polls once a minute, so what arrives sooner came over the stream.
 */
export async function amplitudeLocal(t, server, { scope = 'server', streaming = false } = {}) {
  const client = new LocalEvaluationClient(server.keys[scope], {
    serverUrl: server.url,
    streamServerUrl: server.url,
    streamUpdates: streaming,
    flagConfigPollingIntervalMillis: 60_000,
    exposureConfig: {
      apiKey: server.keys[scope],
      serverUrl: `${server.url}/2/httpapi`,
      flushIntervalMillis: 50,
    },
  });
  await client.start();
  atEnd(t, () => client.stop());
  return client;
}

/** Amplitude Analytics. Events leave when `flush` is called or after 1 s instead of 10 s. */
export async function amplitudeAnalytics(server, { scope = 'client', ...options } = {}) {
  const client = createInstance();
  await client.init(server.keys[scope], {
    serverUrl: `${server.url}/2/httpapi`,
    flushQueueSize: 200,
    flushIntervalMillis: 1000,
    ...options,
  }).promise;
  return client;
}

//! Bench of OFREP: the load generator, in a process of its own. Each message is a run; anything but a 2xx
//! makes it fail.

import autocannon from 'autocannon';

process.on('message', async ({ url, connections, headers, bodies, seconds, amount }) => {
  try {
    const requests = bodies.map((body) => ({ method: 'POST', headers, body }));
    const length = amount ? { amount } : { duration: seconds };
    const began = performance.now();
    const run = await autocannon({ url, connections, requests, timeout: 30, ...length });
    const took = (performance.now() - began) / 1000;
    const failed = run.non2xx + run.errors + run.timeouts;
    if (failed > 0 || run['2xx'] === 0) throw new Error(`${failed} of ${run.requests.total} requests failed`);
    process.send({
      total: run.requests.total,
      seconds: took,
      perSecond: amount ? run.requests.total / took : run.requests.average,
      p50: run.latency.p50,
      p99: run.latency.p99,
      bytes: run.throughput.total / run.requests.total,
    });
  } catch (failure) {
    process.send({ failure: failure.message });
  }
});
process.on('disconnect', () => process.exit());

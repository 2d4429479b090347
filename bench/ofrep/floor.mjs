//! Bench of OFREP: a server that reads the body and answers a fixed text, for what HTTP and the generator take.

import { createServer } from 'node:http';

process.on('message', ({ bytes }) => {
  const text = JSON.stringify({ fixed: 'x'.repeat(bytes) });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  const server = createServer((request, reply) => {
    request.on('data', () => {});
    request.on('end', () => reply.writeHead(200, headers).end(text));
  });
  server.listen(0, '127.0.0.1', () => process.send({ url: `http://127.0.0.1:${server.address().port}/` }));
});
process.on('disconnect', () => process.exit());

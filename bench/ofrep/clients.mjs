//! Bench of OFREP: many clients of the event stream, in a process of their own. Each is a socket that has asked
//! for the stream; what it notes is when the word to refetch reached it.

import { connect } from 'node:net';

const WORD = Buffer.from('refetchEvaluation');
const WIDTH = 200;
const clients = [];
let before;
let told;

/** Opens one; resolves when the head of the answer is there. */
function open({ hostname, port }, path) {
  return new Promise((resolve, reject) => {
    const client = { told: 0, at: 0, ended: false };
    const socket = connect(Number(port), hostname);
    socket.setNoDelay();
    let head = '';
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\n\r\n`));
    socket.on('data', (bytes) => {
      if (head !== undefined) {
        head += bytes.toString('latin1');
        if (!head.includes('\r\n\r\n')) return;
        if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(head.slice(0, 200)));
        head = undefined;
        return resolve(client);
      }
      if (bytes.includes(WORD)) {
        client.told += 1;
        client.at = performance.timeOrigin + performance.now();
        noticed();
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      client.ended = true;
      reject(new Error('a stream ended'));
    });
  });
}

let noticed = () => {};

/** Resolves when every client was told once more. */
function all() {
  return new Promise((resolve, reject) => {
    let left = clients.length;
    const slow = setTimeout(() => reject(new Error(`${left} clients were not told within 30 s`)), 30_000);
    noticed = () => {
      left -= 1;
      if (left > 0) return;
      clearTimeout(slow);
      resolve();
    };
  });
}

process.on('message', async (message) => {
  try {
    if (message.open) {
      const url = new URL(message.url);
      const began = performance.now();
      let left = message.open;
      const lane = async () => {
        while (left-- > 0) clients.push(await open(url, message.path));
      };
      await Promise.all(Array.from({ length: WIDTH }, lane));
      process.send({ seconds: (performance.now() - began) / 1000 });
    } else if (message.arm) {
      before = clients.map((client) => client.told);
      told = all();
      told.catch(() => {});
      process.send({ armed: true });
    } else {
      await told;
      const missed = clients.filter((client, n) => client.told !== before[n] + 1 || client.ended).length;
      if (missed > 0) throw new Error(`${missed} clients were told twice or not at all`);
      process.send({ times: clients.map((client) => client.at) });
    }
  } catch (failure) {
    process.send({ failure: failure.message });
  }
});
process.on('disconnect', () => process.exit());

//! Conformance: a program as the README has it, in a process of its own: Amplitude's local SDK with streaming. It asks for a
//! flag again and again and prints each answer that is another one than the last.

import { Experiment } from '@amplitude/experiment-node-server';

const [url, key, flag] = process.argv.slice(2);
// When the server goes away, a promise of the SDK is rejected that nobody waits for, which would end the program.
if (process.argv[5] === 'handled') process.on('unhandledRejection', (error) => console.error(error));
const experiment = Experiment.initializeLocal(key, { serverUrl: url, streamUpdates: true, streamServerUrl: url });
await experiment.start();
let last;
setInterval(() => {
  const answer = experiment.evaluateV2({ user_id: 'user-1' })[flag]?.key ?? 'nothing';
  if (answer !== last) console.log(answer);
  last = answer;
}, 20);

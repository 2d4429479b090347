//! Conformance: `kill -9` during ingestion. What was acknowledged is there exactly once, everything
//! else at most once, also when it is sent again.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Server, count, fact, random } from './harness.mjs';
import { totals } from './queries.mjs';

const kills = count(200);
const senders = 4;

test(`${kills} kills lose nothing that was acknowledged and double nothing`, async (t) => {
  const rand = random(20261122);
  const server = await Server.start(t);
  let [acknowledged, doubtful, resent] = [0, 0, 0];
  for (let round = 0; round < kills; round++) {
    const event = `round ${round}`;
    const batches = new Map();
    let dead = false;
    const post = async (batch) => {
      const reply = await fetch(`${server.url}/2/httpapi`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ api_key: server.keys.client, events: batch.events }),
      });
      const { code, events_ingested } = await reply.json();
      assert.equal(code, 200);
      assert.equal(events_ingested, batch.events.length);
      batch.acknowledged = true;
    };
    const sender = async (lane) => {
      for (let n = 0; !dead; n++) {
        const name = `${lane}.${n}`;
        // Every event has a user of its own: total and unique users of a batch are both its size
        // only if each of its events is there exactly once.
        const events = Array.from({ length: 1 + Math.floor(rand() * 20) }, (_, i) => ({
          event_type: event,
          user_id: `user ${round}.${name}.${i}`,
          insert_id: `${round}.${name}.${i}`,
          event_properties: { batch: name },
        }));
        const batch = { events, acknowledged: false };
        batches.set(name, batch);
        try {
          await post(batch);
        } catch (error) {
          if (!dead) throw error;
        }
      }
    };
    const sending = Array.from({ length: senders }, (_, lane) => sender(lane));
    await new Promise((done) => setTimeout(done, 20 + rand() * 150));
    dead = true;
    await server.end('SIGKILL');
    await Promise.all(sending);

    await server.open();
    const check = async (when) => {
      const found = await totals(server, { event, by: 'batch' });
      for (const [name, batch] of batches) {
        const { total, users } = found.get(name) ?? { total: 0, users: 0 };
        const where = `round ${round}, batch ${name}, ${when}`;
        if (batch.acknowledged) assert.equal(total, batch.events.length, where);
        assert.ok(total <= batch.events.length, where);
        assert.equal(users, total, where);
      }
      for (const name of found.keys()) assert.ok(batches.has(name), `nobody sent batch ${name}`);
    };
    await check('after the crash');
    for (const batch of batches.values()) {
      if (batch.acknowledged) acknowledged += batch.events.length;
      else doubtful += batch.events.length;
      // A client that saw no answer sends again; so does one that lost the answer.
      if (!batch.acknowledged || rand() < 0.2) {
        resent += batch.events.length;
        await post(batch);
      }
    }
    await check('after sending again');
  }
  fact(
    'kill -9',
    `${kills} kills during ingestion: ${acknowledged} acknowledged events there exactly once, ` +
      `${doubtful} unanswered at most once, ${resent} sent again and there exactly once`,
  );
});

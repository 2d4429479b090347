//! Conformance: a property that changes its type, from the request to the question: no value becomes another, and the
//! answer is the same in memory, in a part, and when parts have been merged.

import assert from 'node:assert/strict';
import test from 'node:test';
import { HOUR, Server } from './harness.mjs';
import { total, totals } from './queries.mjs';

const values = [9.5, '9.5', 10, '10', 'ten', true, 'true', [1, 'a'], { deep: 1 }, null, ''];

/** By text a number and its text are one value; what is compared by size is a number. */
const labels = { 9.5: 2, 10: 2, ten: 1, true: 2, '[1,"a"]': 1, '{"deep":1}': 1, '(none)': 1, '': 1 };
const questions = [
  ['is', ['9.5'], 2], ['is', ['true'], 2], ['is', ['(none)'], 1], ['is', [''], 1], ['is', ['[1,"a"]'], 1],
  ['is_not', ['10'], values.length - 2], ['contains', ['deep'], 1],
  ['less', ['10'], 1], ['less_or_equal', ['10'], 2], ['greater', ['9'], 2], ['greater', ['9.5'], 1],
  ['greater', ['9', '(none)'], 3],
];

test('a property that changes its type keeps every value, and questions say how they compare', async (t) => {
  const start = Date.parse('2026-03-02T02:00:00Z');
  const server = await Server.start(t, { clock: start });
  const days = { event: 'Priced', from: start, to: start };
  const send = async (round) => {
    const events = values.map((price, n) => ({
      event_type: 'Priced', user_id: `user ${n}`, insert_id: `${round}.${n}`, time: start, event_properties: { price, n },
    }));
    const reply = await server.raw('/2/httpapi', { scope: null, json: { api_key: server.keys.client, events } });
    assert.equal(reply.status, 200, await reply.text());
  };
  const check = async (rounds, where) => {
    const found = await totals(server, { ...days, by: 'price' });
    const counted = Object.fromEntries([...found].map(([label, { total }]) => [label, total]));
    const wanted = Object.fromEntries(Object.entries(labels).map(([label, count]) => [label, count * rounds]));
    assert.deepEqual(counted, wanted, where);
    for (const [op, than, count] of questions) {
      const filters = [{ property: 'price', op, values: than }];
      assert.equal(await total(server, 'Priced', { ...days, filters }), count * rounds, `${op} ${than}, ${where}`);
    }
    const { events } = await server.get(`/api/events/recent?environment=${server.environment}&limit=100`);
    for (const { properties: { price = null, n } } of events) assert.deepEqual(price, values[n], where);
    assert.equal(events.length, values.length * rounds, where);
  };
  await send(0);
  await check(1, 'in memory');
  let merged = false;
  let parts = 0;
  for (let round = 1; !merged; round++) {
    assert.ok(round <= 8, 'parts are not merged');
    await server.advance(start + round * 2 * HOUR);
    const status = await server.get('/api/status');
    merged = status.parts < parts;
    parts = status.parts;
    await check(round, `in ${parts} parts`);
    if (!merged) await send(round);
  }
  await assert.rejects(
    totals(server, { ...days, filters: [{ property: 'price', op: 'less', values: ['ten'] }] }),
    /`ten` is not a number/,
  );
});

//! Conformance: what the proofs ask of the product's own queries.

import assert from 'node:assert/strict';
import { DAY } from './harness.mjs';

const date = (at) => new Date(at).toISOString().slice(0, 10);

/**
 * Events and distinct users of an event type by the values of one property; without `by`, under the
 * key `null`. Values that the answer had to leave out would make a proof blind, so they fail it.
 */
export async function totals(server, { event, by, from = Date.now() - DAY, to = Date.now() + DAY, filters = [] }) {
  const asked = { environment: server.environment, event, from: date(from), to: date(to), limit: 1000, filters };
  if (by) asked.by = by;
  const found = new Map();
  for (const [measure, name] of [['totals', 'total'], ['uniques', 'users']]) {
    const answer = await server.call('POST', '/api/query/segmentation', { ...asked, measure });
    assert.equal(answer.cut.groups, 0, 'the answer left groups out');
    for (const { group, total } of answer.series) {
      if (total > 0) found.set(group, { ...found.get(group), [name]: total });
    }
  }
  return found;
}

/** How many events of a type there are. */
export async function total(server, event, options = {}) {
  return (await totals(server, { event, ...options })).get(null)?.total ?? 0;
}

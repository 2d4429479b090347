//! Conformance: the flags that the proofs evaluate, made through the API as a person makes them.

import { readFileSync } from 'node:fs';

const read = (file) => JSON.parse(readFileSync(new URL(file, import.meta.url)));
const definitions = read('./flags.json');
const calls = read('./offer.json');

/** The keys of `everyKind`. */
export const kinds = definitions.map((d) => d.create.flag);

/** A flag, targeted and switched on. */
export async function make(server, { create, target, on = true }) {
  await server.post('/api/flags', create);
  const { environment } = server;
  if (target) await server.put(`/api/flags/${create.flag}/targeting`, { environment, ...target });
  if (on) await server.toggle(create.flag, true);
}

/** One flag of each kind and each reason. */
export async function everyKind(server) {
  for (const definition of definitions) await make(server, definition);
}

/** `gate`, and `offer` with all that a flag can have: a prerequisite, a holdout, a layer, a segment and a split in three. */
export async function offer(server) {
  for (const { method, path, body } of calls) {
    const here = body.environment ? { ...body, environment: server.environment } : body;
    await server.call(method, path, { why: 'the proofs', ...here });
  }
}

/** Rules that are nearly 4 MB for flagd's providers: ten flags for three segments of 9,000 people each. */
export async function large(server) {
  const segments = ['one', 'two', 'three'];
  for (const segment of segments) await server.put(`/api/segments/${segment}`, {});
  const rules = segments.map((segment) => ({ name: segment, when: [[{ segment }]], serve: { serve: 'variant', variant: 'on' } }));
  for (let n = 0; n < 10; n++) {
    await make(server, { create: { flag: `large-${n}` }, target: { rules, default: { serve: 'variant', variant: 'off' } } });
  }
  for (const [i, segment] of segments.entries()) {
    const add = Array.from({ length: 9_000 }, (_, n) => `user-${(i * 9_000 + n).toString().padStart(6, '0')}`);
    await server.post(`/api/segments/${segment}/ids`, { list: 'included', add });
  }
}

/** A boolean flag that is on for everybody. */
export const booleanFlag = (server, flag) => make(server, { create: { flag } });

/** Shares in the form of the API. */
export const shares = (of) => Object.entries(of).map(([variant, share]) => ({ variant, share }));

/** A flag whose variants `of` have shares of the population; `rest` is who is not enrolled. */
export async function splitFlag(server, flag, of, rest) {
  const variants = Object.keys(of).map((key) => ({ key, value: key }));
  await make(server, {
    create: { flag, kind: 'string', variants },
    target: { default: { serve: 'split', shares: shares(of), ...(rest ? { rest } : {}) } },
  });
}

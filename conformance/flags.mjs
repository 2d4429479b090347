//! Conformance: the flags that the proofs evaluate, made through the API as a person makes them.

import { readFileSync } from 'node:fs';

const definitions = JSON.parse(readFileSync(new URL('./flags.json', import.meta.url)));

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

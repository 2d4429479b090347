// Flags, tests: what the real Amplitude engine answers. Reads cases as JSON lines `{flags, users}` and
// writes for each a line: per user, the variant's key by flag. Run where @amplitude/experiment-core is.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
const { EvaluationEngine, topologicalSort } = createRequire(process.cwd() + '/')('@amplitude/experiment-core');

const engine = new EvaluationEngine();
for await (const line of createInterface({ input: process.stdin })) {
  const { flags, users } = JSON.parse(line);
  const sorted = topologicalSort(Object.fromEntries(flags.map((f) => [f.key, f])));
  const answers = users.map((user) => {
    const results = engine.evaluate({ user }, sorted);
    return Object.fromEntries(Object.entries(results).map(([key, v]) => [key, [v.key, v.metadata]]));
  });
  console.log(JSON.stringify(answers));
}

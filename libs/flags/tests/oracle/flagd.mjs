// Flags, tests: what the real flagd engine for JavaScript answers. Reads cases as JSON lines
// `{document, contexts}` and writes for each a line: per context, `[variant, reason]` by flag. Run where
// @openfeature/flagd-core is.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
const { FlagdCore } = createRequire(process.cwd() + '/')('@openfeature/flagd-core');

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
for await (const line of createInterface({ input: process.stdin })) {
  const { document, contexts } = JSON.parse(line);
  // An engine that writes code, and one that reads the rule.
  const [written, read] = [false, true].map((disableDynamicCodeGeneration) => {
    const core = new FlagdCore(undefined, quiet, { disableDynamicCodeGeneration });
    core.setConfigurations(JSON.stringify(document));
    return contexts.map((context) =>
      Object.fromEntries(
        [...core.getFlags()].map(([key, flag]) => {
          const { variant, reason, errorMessage } = flag.evaluate(context, quiet);
          return [key, [variant ?? errorMessage ?? null, reason]];
        }),
      ),
    );
  });
  const same = JSON.stringify(written) === JSON.stringify(read);
  console.log(JSON.stringify(same ? written : contexts.map((_, i) => ({ written: written[i], read: read[i] }))));
}

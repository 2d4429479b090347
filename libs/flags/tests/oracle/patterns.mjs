// Flags, tests: whether patterns come to an end. Reads cases as JSON lines `{pattern, texts}` and writes for each a
// line: per text whether the pattern is found, or null where that takes half a minute.
import { createInterface } from 'node:readline';
import vm from 'node:vm';

const found = (pattern, text) => {
  try {
    return vm.runInNewContext('new RegExp(pattern).test(text)', { pattern, text }, { timeout: 30_000 });
  } catch (error) {
    if (error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
};
for await (const line of createInterface({ input: process.stdin })) {
  const { pattern, texts } = JSON.parse(line);
  console.log(JSON.stringify(texts.map((text) => found(pattern, text))));
}

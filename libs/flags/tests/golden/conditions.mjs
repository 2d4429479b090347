// Flags, tests: asks the real Amplitude engine what every operator says of every value.
// Run `npm i @amplitude/experiment-core@0.13.6` somewhere, then there: node conditions.mjs > conditions.json
import { createRequire } from 'node:module';
const { EvaluationEngine } = createRequire(process.cwd() + '/')('@amplitude/experiment-core');

const values = [
  null, '', ' ', 'fi', 'FI', 'ÄÖ', 'ΟΔΟΣ', 'K', 'true', 'TRUE', 'False', '(none)', 'v2', '10', ' 9.5\n', '-1e2', '0x1F',
  'Infinity', '1.', '1_0', '1.2', '1.2.3', '1.10.0', '1.2.3-rc.1', '1.2.3-', '01.2.3', '[', '["fi", 10, null, ""]', '[]',
  '{"a":1}', 'a+b', 'x.com\n', '\u{10000}', '\uffee', true, false, 0, 10, 9.5, -0.0, 1e21, 1e-7, 123456789012345680000,
  [], ['fi'], ['FI', 'x'], [null, '', true], [['fi']], [10, 1], {}, { a: 1 }, { a: [1.5, 'ä"'] },
];
const lists = {
  is: [['fi'], ['FI', '(none)'], ['true'], ['False', 'fi'], ['(none)'], [''], ['1e+21', '1e-7', '0'], ['10', '["fi"]'],
    ['{"a":1}', '{"a":[1.5,"ä\\""]}', '{}'], ['123456789012345680000', '9.5'], ['["fi", 10, null, ""]']],
  contains: [['F'], [''], ['äö', 'οδοσ'], ['k'], ['(none)', '.'], ['true'], ['"a"'], ['e+']],
  less: [['10'], ['x'], ['', 'y'], ['(none)', '-5'], ['0x20'], ['1e21'], ['9.5'], ['Infinity'], ['-1000', '31']],
  version_less: [['1.2.3'], ['1.10', 'junk'], ['fi'], ['(none)'], ['1.2.3-rc.1'], ['1.2.3-'], [''], ['\u{10000}'], ['v2'], ['2']],
  starts_with: [['f'], [''], ['(none)'], ['1.', '['], ['a+'], ['\u{10000}'], ['{"a"']],
  ends_with: [['I', '0'], [''], ['.com'], ['+b', '-'], ['}'], ['ΟΣ']],
};
const family = (ops, list) => ops.map((op) => [op, list]);
const clauses = [
  ...family(['is', 'is_not'], lists.is),
  ...family(['contains', 'does_not_contain'], lists.contains),
  ...family(['less', 'less_or_equal', 'greater', 'greater_or_equal'], lists.less),
  ...family(['version_less', 'version_less_or_equal', 'version_greater', 'version_greater_or_equal'], lists.version_less),
  ...family(['starts_with'], lists.starts_with),
  ...family(['ends_with'], lists.ends_with),
].flatMap(([op, list]) => list.map((values) => ({ op, values })));

const literally = (text) => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
const spoken = ({ op, values }) => {
  if (op === 'starts_with') return { op: 'regex match', values: values.map((v) => '^' + literally(v)) };
  if (op === 'ends_with') return { op: 'regex match', values: values.map((v) => literally(v) + '(?![\\s\\S])') };
  return { op: op.replaceAll('_', ' '), values };
};
const engine = new EvaluationEngine();
const holds = (clause, value) => {
  const selector = ['context', 'user', 'user_properties', 'p'];
  const segments = [{ conditions: [[{ selector, ...spoken(clause) }]], variant: 'on' }];
  const flag = { key: 'f', variants: { on: { key: 'on' } }, segments };
  return engine.evaluate({ user: { user_properties: { p: value } } }, [flag]).f ? '1' : '0';
};
const rows = clauses.map((c) => `    ${JSON.stringify({ ...c, holds: values.map((v) => holds(c, v)).join('') })}`);
console.log(`{
  "engine": "@amplitude/experiment-core 0.13.6",
  "values": ${JSON.stringify(values)},
  "clauses": [\n${rows.join(',\n')}\n  ]
}`);

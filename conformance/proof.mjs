//! Conformance: writes docs/proof.md from what the suites of this run noted: what was run, on what
//! commit, when, and what came out.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { root } from './harness.mjs';

const run = (...command) => execFileSync(command[0], command.slice(1), { cwd: root, encoding: 'utf8' }).trim();
const read = (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '');

const suites = readdirSync(join(root, 'target', 'suites'))
  .filter((name) => name.endsWith('.tsv'))
  .map((name) => read(`target/suites/${name}`).trim().split('\t'));
const facts = read('target/proof/facts.jsonl').split('\n').filter(Boolean).map((line) => JSON.parse(line));

const about = {
  rust: 'All unit, property and golden tests of the Rust rooms, and the tidy test.',
  build: 'Everything builds.',
  'flagd-rust': 'The official flagd provider for Rust builds.',
  'web-unit': 'Pure logic of the pages.',
  'web-e2e': 'The pages in a real headless Chromium: log in, toggle, see the experiment.',
  'sdk-node': 'The official Node and web SDKs against the real binary.',
  'sdk-python': 'The official Python SDKs against the real binary.',
  'sdk-mixpanel': 'The newest Python SDK of Mixpanel, which cannot be installed beside flagd.',
};

const npm = Object.entries(JSON.parse(read('conformance/package.json')).devDependencies)
  .filter(([name]) => /^(@(amplitude|openfeature|segment|rudderstack)\/|mixpanel|posthog)/.test(name))
  .map(([name, version]) => `${name} ${version}`);
const pip = read('conformance/requirements.txt').split('\n').filter((l) => /^(amplitude|openfeature|segment|rudder|mixpanel|posthog)/.test(l)).map((l) => l.replace('==', ' '));

const crates = [...read('conformance/flagd-rust/Cargo.toml').matchAll(/^(open-feature\S*) = .*?"=([\d.]+)"/gm)].map(([, name, version]) => `${name} ${version}`);

const dirty = run('git', 'status', '--porcelain', '--untracked-files=no').split('\n').filter((l) => l && !l.endsWith('docs/proof.md'));
const sum = (column) => suites.reduce((total, row) => total + Number(row[column]), 0);
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const subjects = [...new Set(facts.map((f) => f.subject))].sort();

writeFileSync(
  join(root, 'docs', 'proof.md'),
  `# Proof

Written by \`make proof\`; do not edit. \`make test\` runs the same at a tenth of the counts.

${table(['', ''], [
    ['Date', new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC'],
    ['Commit', `\`${run('git', 'rev-parse', 'HEAD')}\`${dirty.length ? `, with ${dirty.length} files changed since` : ''}`],
    ['Machine', `${cpus().length} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}`],
    ['Tools', `${run('rustc', '--version')}; Node ${process.versions.node}; ${run('python3', '--version')}`],
    ['Counts', process.env.PROOF === 'full' ? 'in full' : 'a tenth'],
    ['Result', `**${sum(1)} passed, ${sum(2)} failed**`],
  ])}

## What was run

${table(['suite', 'passed', 'failed', 'seconds', 'what'], suites.map(([name, passed, failed, seconds]) => [name, passed, failed, seconds, about[name] ?? '']))}

SDKs, unmodified: ${[...npm, ...pip, ...crates].join(', ')}.

## What came out

${subjects.map((subject) => `### ${subject}\n\n${facts.filter((f) => f.subject === subject).map((f) => `- ${f.text}`).join('\n')}`).join('\n\n')}
`,
);
console.log('wrote docs/proof.md');

// A reporter for `node --test` that writes JUnit XML with the file of each test: node's own names it in newer versions only.
//
// Runs in the tests' own node, 18.15 or later, without any package.

import { inspect } from 'node:util';

const MOST = 8000;

function text(words) {
  // What XML cannot hold, and what it would take for markup.
  const seen = String(words).slice(-MOST).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/gu, '?');
  return seen.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

function outcome({ type, data }) {
  if (data.skip !== undefined && data.skip !== false) return '<skipped message="skipped"/>';
  if (data.todo !== undefined && data.todo !== false) return '<skipped message="todo"/>';
  if (type === 'test:pass') return '';
  const error = data.details?.error;
  const cause = error?.cause ?? error;
  const words = cause?.stack ?? inspect(cause);
  return `<failure message="${text(cause?.message ?? cause)}">${text(words)}</failure>`;
}

function* written(node) {
  const { data } = node.ended;
  const only = data.details?.error?.failureType === 'subtestsFailed';
  const suite = node.inside.length > 0 || data.details?.type === 'suite';
  if (node.inside.length > 0) {
    yield `<testsuite name="${text(data.name)}" disabled="0" file="${text(data.file ?? '')}">\n`;
    for (const one of node.inside) yield* written(one);
  }
  // What holds others is a test of its own where it fails by itself.
  if (!suite || (node.ended.type === 'test:fail' && !only)) {
    const seconds = (data.details?.duration_ms ?? 0) / 1000;
    yield `<testcase name="${text(data.name)}" classname="test" time="${seconds.toFixed(6)}" file="${text(data.file ?? '')}">`;
    yield `${outcome(node.ended)}</testcase>\n`;
  }
  if (node.inside.length > 0) yield '</testsuite>\n';
}

export default async function* report(source) {
  const files = new Map();
  yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n';
  for await (const event of source) {
    const { type, data } = event;
    if (type !== 'test:start' && type !== 'test:pass' && type !== 'test:fail') continue;
    const open = files.get(data.file) ?? [];
    files.set(data.file, open);
    if (type === 'test:start') {
      const node = { inside: [], ended: null };
      if (data.nesting > 0) open[data.nesting - 1]?.inside.push(node);
      open[data.nesting] = node;
      continue;
    }
    const node = open[data.nesting];
    if (node === undefined) continue;
    node.ended = event;
    node.inside = node.inside.filter((one) => one.ended !== null);
    if (data.nesting === 0) yield* written(node);
  }
  yield '</testsuites>\n';
}

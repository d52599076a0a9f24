import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * docs/reference/metrics.md, made from what a server answers to `GET /metrics`. `curl -H "Authorization: Bearer KEY" URL/metrics |
 * node tools/metrics-reference.ts` writes it; a test compares.
 */
export function metricsReference(exposition: string): string {
  const rows = new Map<string, string>();
  for (const [, name = '', help = ''] of exposition.matchAll(/^# HELP (selsyn_\S+) (.*)$/gm)) {
    const type = new RegExp(`^# TYPE ${name} (\\w+)$`, 'm').exec(exposition)?.[1] ?? '';
    rows.set(name, `| \`${name}\` | ${type} | ${labelsOf(name, exposition)} | ${help} |`);
  }
  if (rows.size === 0) throw new Error('no metrics of Selsyn on standard input: see how this is called');
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  return `# Metrics

Made from \`GET /metrics\` by \`tools/metrics-reference.ts\`.

\`/metrics\` answers in the Prometheus text format, with a key (\`Authorization: Bearer KEY\`; a \`read\` key will do). Each value has the label \`thread\`: add them up. A label of reason codes (\`code\`) has the codes that occurred, in hexadecimal as the MQTT specification writes them. Besides these there are the process metrics of Node (\`process_…\`, \`nodejs_…\`).

| metric | type | labels | meaning |
|---|---|---|---|
${sorted.join('\n')}
`;
}

/** Those besides `thread`, and those of the exposition format itself. */
function labelsOf(name: string, exposition: string): string {
  const labels = new Set<string>();
  for (const [, pairs = ''] of exposition.matchAll(new RegExp(`^${name}(?:_bucket)?\\{([^}]*)\\}`, 'gm'))) {
    for (const [, label = ''] of pairs.matchAll(/(\w+)="/g)) if (label !== 'thread' && label !== 'le') labels.add(label);
  }
  return [...labels]
    .sort()
    .map((label) => `\`${label}\``)
    .join(', ');
}

if (process.argv[1] === import.meta.filename) {
  const page = metricsReference(readFileSync(0, 'utf8'));
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'metrics.md'), page);
}

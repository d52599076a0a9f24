import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CONFIG_SCHEMA } from '../packages/platform/src/app/config-schema.ts';
import { variableOf } from '../packages/platform/src/app/config.ts';

/** docs/reference/configuration.md, made from the schema. `node tools/config-reference.ts` writes it; a test compares. */
export function configReference(): string {
  const { properties = {} } = z.toJSONSchema(CONFIG_SCHEMA, { io: 'input', unrepresentable: 'any' });
  const rows: string[] = [];
  for (const [name, section] of Object.entries(properties)) {
    if (typeof section === 'boolean') continue;
    if (section.properties === undefined) rows.push(row(name, section));
    else
      for (const [key, field] of Object.entries(section.properties))
        if (typeof field === 'object') rows.push(row(`${name}.${key}`, field));
  }
  return `# Configuration

Made from \`packages/platform/src/app/config-schema.ts\` by \`node tools/config-reference.ts\`.

Sources, weakest first: defaults, \`--config FILE\` (JSON, nested keys), environment variables, \`--set key=value\` (\`--data DIR\` is short for \`--set data=DIR\`). An unknown key stops the start; an unknown \`SELSYN_…\` variable is reported and ignored.

| key | variable | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

function row(key: string, field: { default?: unknown; description?: string; enum?: readonly unknown[] }): string {
  const machineBound = key === 'gateway.threads';
  const text = typeof field.default === 'string' && field.default !== '' ? field.default : JSON.stringify(field.default);
  const value = machineBound ? 'by processors' : field.default === undefined ? '' : `\`${text}\``;
  const choices = field.enum === undefined ? '' : ` One of ${field.enum.map((choice) => `\`${String(choice)}\``).join(', ')}.`;
  return `| \`${key}\` | \`${variableOf(key)}\` | ${value} | ${field.description ?? ''}${choices} |`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(import.meta.dirname, '..', 'docs', 'reference', 'configuration.md'), configReference());
}

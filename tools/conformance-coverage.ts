import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOT_OBSERVABLE } from '../test/conformance/statements/not-observable.ts';
import type { StandardVersion, Statement, StatementRow } from '../test/conformance/statements/statement.ts';
import { STATEMENTS_3_1_1 } from '../test/conformance/statements/statements-3-1-1.ts';
import { CONNECTION_5_0 } from '../test/conformance/statements/statements-5-0-connection.ts';
import { MESSAGES_5_0 } from '../test/conformance/statements/statements-5-0-messages.ts';
import { OPERATION_5_0 } from '../test/conformance/statements/statements-5-0-operation.ts';
import { testNames } from './test-names.ts';

/** A statement, the tests that name it, and why there is none. */
export interface Coverage {
  readonly statement: Statement;
  readonly tests: readonly CoveringTest[];
  readonly reason: string | undefined;
}

export interface CoveringTest {
  /** From the root of the repository. */
  readonly file: string;
  /** Without the statements that it names. */
  readonly name: string;
}

export interface Conformance {
  /** In the order of the standard, 5.0 first. */
  readonly coverage: readonly Coverage[];
  /** What a test names that is no statement: `file: [MQTT-9.9.9-1]`. */
  readonly unknown: readonly string[];
}

const ROOT = join(import.meta.dirname, '..');
const LISTS: Readonly<Record<StandardVersion, readonly StatementRow[]>> = {
  '5.0': [...CONNECTION_5_0, ...MESSAGES_5_0, ...OPERATION_5_0],
  '3.1.1': STATEMENTS_3_1_1,
};
const CITATION = /\[MQTT-([^\]\s]+)(?: v([^\]]+))?\]/g;

/**
 * Which tests name which statement. `[MQTT-3.1.2-3 v5.0]` and `[MQTT-3.1.2-3 v3.1.1]` name that of one version; `[MQTT-3.1.2-3]` names
 * that of 5.0, and that of 3.1.1 too where it asks for the same or 5.0 has none of that number.
 */
export function readConformance(): Conformance {
  const unknown: string[] = [];
  const tests = new Map<string, CoveringTest[]>();
  for (const file of ['packages', 'test', 'tools'].flatMap(testFiles)) {
    for (const { name, within } of testNames(readFileSync(join(ROOT, file), 'utf8'))) {
      const plain = plainName(name);
      // A string that is nothing but a clause is a value in a table, not a name.
      if (plain === '') continue;
      const test = { file, name: [...within, plain].join(' · ') };
      for (const [citation, id = '', version] of name.matchAll(CITATION)) {
        const meant = statementsMeant(id, version);
        if (meant.length === 0) unknown.push(`${file}: ${citation}`);
        for (const key of meant) tests.set(key, [...(tests.get(key) ?? []), test]);
      }
    }
  }
  const coverage = STATEMENTS.map((statement) => ({
    statement,
    tests: tests.get(keyOf(statement.version, statement.id)) ?? [],
    reason: NOT_OBSERVABLE[statement.version][statement.id],
  }));
  return { coverage, unknown };
}

function statementsMeant(id: string, version: string | undefined): string[] {
  const row311 = STATEMENTS_3_1_1.find(([known]) => known === id);
  const in5 = LISTS['5.0'].some(([known]) => known === id);
  const in311 = row311 !== undefined && (version === '3.1.1' || (version === undefined && (row311[3] === 'same' || !in5)));
  return [
    ...(in5 && (version === '5.0' || version === undefined) ? [keyOf('5.0', id)] : []),
    ...(in311 ? [keyOf('3.1.1', id)] : []),
  ];
}

/** Without what it cites, and without the level that a test of both versions ends with. */
function plainName(name: string): string {
  return name
    .replaceAll(CITATION, '')
    .replace(/\(level %i\)$/, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ (?=[,:;])/g, '')
    .replace(/:? $/, '')
    .trim();
}

function keyOf(version: StandardVersion, id: string): string {
  return `${version} ${id}`;
}

/** In the order of the standard: by section, then by number. */
const STATEMENTS: readonly Statement[] = (['5.0', '3.1.1'] as const).flatMap((version) =>
  LISTS[version]
    .map(([id, binds, says]) => ({ id, version, binds, says }))
    .toSorted((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
);

function testFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name === 'dist' ? [] : testFiles(path);
      return /\.test\.tsx?$/.test(entry.name) ? [path] : [];
    })
    .toSorted();
}

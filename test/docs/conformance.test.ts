import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Coverage, readConformance } from '../../tools/conformance-coverage.ts';
import { conformancePage } from '../../tools/conformance-page.ts';
import { testNames } from '../../tools/test-names.ts';
import { NOT_OBSERVABLE } from '../conformance/statements/not-observable.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'reference', 'mqtt-conformance.md');
const { coverage, unknown } = readConformance();
const nameOf = ({ statement }: Coverage): string => `MQTT-${statement.id} of ${statement.version}`;

describe('the conformance page', () => {
  it('is what the statements and the tests say (node tools/conformance-page.ts)', () => {
    expect(readFileSync(PAGE, 'utf8')).toBe(conformancePage(coverage));
  });

  it('has every statement of both standards once', () => {
    expect(new Set(coverage.map(nameOf)).size).toBe(coverage.length);
    const of = (version: string): number => coverage.filter(({ statement }) => statement.version === version).length;
    expect([of('5.0'), of('3.1.1')]).toEqual([251, 141]);
  });

  it('has a test or a reason for each statement that binds the server', () => {
    const open = coverage.filter(
      ({ statement, tests, reason }) => statement.binds !== 'client' && tests.length === 0 && reason === undefined,
    );
    expect(open.map(nameOf)).toEqual([]);
  });

  it('gives reasons only where there is no test, and for statements that there are', () => {
    expect(coverage.filter(({ tests, reason }) => tests.length > 0 && reason !== undefined).map(nameOf)).toEqual([]);
    const reasons = Object.values(NOT_OBSERVABLE).reduce((sum, each) => sum + Object.keys(each).length, 0);
    expect(coverage.filter(({ reason }) => reason !== undefined).length).toBe(reasons);
  });

  it('knows every statement that a test names', () => {
    expect(unknown).toEqual([]);
  });
});

describe('the names of tests', () => {
  it('are found in calls, with the strings of a table that they take in', () => {
    const source = `
      // it('in a comment', () => {});
      it('plain', () => {}); test.skip("double 'quoted'", fn);
      const text = "it('in a string')"; /it\\('x'/.test(text); permit('no', 1);
      it.each([1, 2])('of %i', (n) => {});
      it.each([['row one', f(')')], ['row two', /["']/]])('%s', (_) => {});
      it.each([['value']])('takes nothing in', () => {});
    `;
    const names = ['plain', "double 'quoted'", 'of %i', '%s', 'row one', ')', 'row two', 'takes nothing in'];
    expect(testNames(source).map(({ name }) => name)).toEqual(names);
  });

  it('are known with what they stand in', () => {
    const source = `
      describe('outer', () => { it('a', () => {}); describe.each([1])('inner %i', () => { it('b', () => {}); }); it('c', () => {}); });
      it('d', () => {});
    `;
    expect(testNames(source)).toEqual([
      { name: 'a', within: ['outer'] },
      { name: 'b', within: ['outer', 'inner %i'] },
      { name: 'c', within: ['outer'] },
      { name: 'd', within: [] },
    ]);
  });
});

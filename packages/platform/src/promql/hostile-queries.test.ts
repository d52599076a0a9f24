import { expect, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { labelTest, patternTest } from './label-match.ts';
import type { Samples, Value } from './matrix.ts';
import { parsePromql } from './parse.ts';

const HOUR_MS = 3_600_000;
const steps = { startMs: 0, stepMs: 10_000, count: 11_000 };
const limits = { maxCells: 200_000, maxTotalCells: 400_000, maxWork: 3_000_000 };

async function run(query: string, series: readonly Samples[] = [], count = steps.count): Promise<Value> {
  return await evaluate(parsePromql(query), { ...steps, count }, { source: { select: async () => series }, limits });
}

test.each([
  ['a value that makes a series each', 'count_values("v", vector(time()))', 'the parts of the query'],
  ['the same in a subquery', 'count_over_time(count_values("v", vector(time()))[1d:60s])', 'the parts of the query'],
  ['windows of many samples at many steps', 'sum_over_time(time()[30d:60s])', 'too many samples'],
  ['the same one in another', 'sum_over_time(sum_over_time(time()[1d:60s])[1d:60s])', 'too many samples'],
  ['what sorts each window', 'quantile_over_time(0.5, time()[2h:60s])', 'too many samples'],
  ['results that are kept for what follows', Array.from({ length: 45 }, () => 'vector(1)').join(' + ('), 'ask for fewer'],
])('%s ends with an error', async (_, query, message) => {
  const closed = query + ')'.repeat(query.split(' + (').length - 1);
  await expect(run(closed)).rejects.toThrow(message);
});

test('partners that change at each step make a series each, and are counted', async () => {
  const query = 'vector(1) + on() group_right count_values("v", vector(time()))';
  await expect(run(query, [], 1_000)).rejects.toThrow('ask for fewer');
});

test('others have their turn while windows are looked at, and what they throw ends it', async () => {
  let turns = 0;
  const check = (): void => {
    if (++turns === 5) throw new Error('the client has gone');
  };
  const query = parsePromql('sum_over_time(time()[1d:60s])');
  await expect(evaluate(query, steps, { source: { select: async () => [] }, check })).rejects.toThrow('the client has gone');
});

test('patterns that take a backtracking engine for ever are answered', async () => {
  const text = `${'a'.repeat(120)}!`;
  for (const pattern of ['(a+)+', '(a|a)*', '(a|aa)+', '.*.*.*.*.*.*.*.*.*.*.*.*x', '(a?){60}a{60}b']) {
    expect(patternTest(pattern)(text)).toBe(false);
    const query = `label_replace(label_replace(vector(1), "a", "${text}", "", ""), "b", "found", "a", "${pattern}")`;
    expect(await run(query, [], 1)).toMatchObject({ rows: [{ labels: { a: text } }] });
  }
});

test('labels do not grow without end', async () => {
  const twice = (inner: string): string => `label_join(${inner}, "a", "", "a", "a")`;
  const query = Array.from({ length: 40 }).reduce<string>(twice, 'label_replace(vector(1), "a", "xx", "", "")');
  await expect(run(query, [], 1)).rejects.toThrow('at most');
});

test('names that every object of the language has are names of labels like others', async () => {
  const fits = labelTest(parsePromqlMatchers('{a="b", constructor=~".+"}'));
  expect(fits({ a: 'b' })).toBe(false);
  expect(fits({ a: 'b', constructor: 'x' })).toBe(true);
  const joined = await run('label_join(sum by (constructor, __proto__) (vector(1)), "a", "", "toString")', [], 1);
  expect(joined).toMatchObject({ rows: [{ labels: {} }] });
});

test('a choice of many texts is taken however long it is, with what is special in it', () => {
  const ids = Array.from({ length: 500 }, (_, i) => `pump.${i}`);
  const fits = patternTest(ids.map((id) => id.replace('.', '\\.')).join('|'));
  expect([fits('pump.499'), fits('pump-499'), fits('pump.500'), patternTest('a|')(''), patternTest('a\\|b')('a|b')]).toEqual([
    true,
    false,
    false,
    true,
    true,
  ]);
});

test('windows of raw samples are counted too', async () => {
  const times = Float64Array.from({ length: 5_000 }, (_, i) => i * 1000);
  const series = [{ labels: { __name__: 'x' }, times, values: times }];
  await expect(run(`sum_over_time(x[${HOUR_MS / 1000}s])`, series, 200)).resolves.toMatchObject({ type: 'vector' });
  await expect(run('sum_over_time(x[1y])', series)).rejects.toThrow('too many samples');
});

function parsePromqlMatchers(selector: string) {
  const expression = parsePromql(selector);
  return expression.kind === 'vector' ? expression.matchers : expect.fail('a selector');
}

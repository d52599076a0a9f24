import { expect, test } from 'vitest';
import { RecordFilter } from './record-filter.ts';

const sample = (values: Record<string, number>) => ({ timeMs: 1, isAssigned: false, values });

test('lets everything through where nothing is asked for', () => {
  const filter = new RecordFilter({});
  expect(filter.passes('d', 'telemetry/d')).toBe(true);
  expect(filter.only([sample({ a: 1 })])).toEqual([sample({ a: 1 })]);
  expect(new RecordFilter({ topics: [], idPrefix: '', metrics: [] }).passes('d', 't')).toBe(true);
});

test('takes topic filters as MQTT has them, one of which must match', () => {
  const filter = new RecordFilter({ topics: ['telemetry/a', 'site/+/x', '$selsyn/points/#'] });
  expect(
    ['telemetry/a', 'site/7/x', '$selsyn/points/d', 'site/7/y', 'telemetry/ab'].map((topic) => filter.passes('d', topic)),
  ).toEqual([true, true, true, false, false]);
  expect(new RecordFilter({ topics: ['#'] }).passes('d', '$selsyn/points/d')).toBe(false);
});

test('asks for the beginning of the id besides', () => {
  const filter = new RecordFilter({ topics: ['telemetry/#'], idPrefix: 'pump-' });
  expect(filter.passes('pump-1', 'telemetry/pump-1')).toBe(true);
  expect(filter.passes('fan-1', 'telemetry/fan-1')).toBe(false);
});

test('keeps the wanted metrics alone, and no sample without any', () => {
  const filter = new RecordFilter({ metrics: ['temp*', 'a.b', '(x'] });
  expect(
    filter.only([sample({ temperature: 1, temp: 2, other: 3 }), sample({ other: 1 }), sample({ 'a.b': 1, axb: 2, '(x': 3 })]),
  ).toEqual([sample({ temperature: 1, temp: 2 }), sample({ 'a.b': 1, '(x': 3 })]);
  expect(filter.only([])).toEqual([]);
});

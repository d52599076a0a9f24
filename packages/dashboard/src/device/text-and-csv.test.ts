import { expect, it } from 'vitest';
import { toCsv } from './csv.ts';
import { textSegments } from './text-segments.ts';
import { timeLabels } from './time-labels.ts';

it('makes one segment of equal neighbours, and the last one runs to the end of the window', () => {
  expect(
    textSegments(
      [
        [10, 'idle'],
        [20, 'idle'],
        [30, 'on'],
        [40, 'idle'],
      ],
      0,
      100,
      Infinity,
    ),
  ).toEqual([
    { value: 'idle', fromMs: 10, toMs: 30 },
    { value: 'on', fromMs: 30, toMs: 40 },
    { value: 'idle', fromMs: 40, toMs: 100 },
  ]);
});

it('keeps what held at the beginning of the window and nothing from outside', () => {
  expect(
    textSegments(
      [
        [10, 'a'],
        [20, 'b'],
        [60, 'c'],
        [200, 'd'],
      ],
      50,
      100,
      Infinity,
    ),
  ).toEqual([
    { value: 'b', fromMs: 50, toMs: 60 },
    { value: 'c', fromMs: 60, toMs: 100 },
  ]);
});

it('knows nothing of a long silence, whether or not the value is the same after it', () => {
  const points = [
    [0, 'on'],
    [10, 'on'],
    [90, 'on'],
    [95, 'off'],
  ] as const;
  expect(textSegments(points, 0, 200, 30)).toEqual([
    { value: 'on', fromMs: 0, toMs: 10 },
    { value: 'on', fromMs: 90, toMs: 95 },
    { value: 'off', fromMs: 95, toMs: 95 },
  ]);
});

it('writes one CSV line a point and quotes what needs it', () => {
  const csv = toCsv(
    new Map([
      [
        'a,b',
        [
          [0, 'say "hi"'],
          [1000, 2.5],
        ],
      ],
      ['on', [[0, true]]],
    ] as const),
  );
  expect(csv.split('\r\n')).toEqual([
    'time,timeMs,metric,value',
    '1970-01-01T00:00:00.000Z,0,"a,b","say ""hi"""',
    '1970-01-01T00:00:01.000Z,1000,"a,b",2.5',
    '1970-01-01T00:00:00.000Z,0,on,true',
    '',
  ]);
});

it('labels the axis with the clock, and with the date at midnight', () => {
  const midnight = new Date(2026, 10, 22).getTime();
  expect(timeLabels([midnight - 3_600_000, midnight], 3_600_000)).toEqual(['23:00', 'Nov 22']);
  expect(timeLabels([midnight + 5000], 5000)).toEqual(['00:00:05']);
  expect(timeLabels([midnight + 250], 250)).toEqual(['00:00:00.250']);
});

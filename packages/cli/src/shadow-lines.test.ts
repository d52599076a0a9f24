import { expect, test } from 'vitest';
import { changeLines, historyRow, shadowLines } from './shadow-lines.ts';

test('a shadow is shown by its sections, what is inherited apart', () => {
  const shadow = { version: 3, desired: { a: 1 }, effective: { a: 1 }, reported: { a: 1 }, updatedAtMs: 0 };
  expect(shadowLines('boiler', shadow, 5_000)).toBe(
    [
      'boiler (classic), version 3, changed 5 s ago',
      '',
      'desired',
      '  {',
      '    "a": 1',
      '  }',
      '',
      'reported',
      '  {',
      '    "a": 1',
      '  }',
      '',
      'the device is as it is to be',
    ].join('\n'),
  );
  const text = shadowLines(
    'boiler',
    { ...shadow, name: 'config', inherited: { b: 2 }, effective: { a: 1, b: 2 }, delta: { b: 2 } },
    0,
  );
  expect([...text.matchAll(/^(\w+)$/gm)].map(([line]) => line)).toEqual([
    'desired',
    'inherited',
    'effective',
    'reported',
    'delta',
  ]);
  expect(text).toContain('boiler config, version 3');
});

test('a change is a line for each value that is another', () => {
  const change = { device: 'a', shadow: 'config', version: 4, change: 'updated' } as const;
  const documents = {
    previous: { state: { desired: { mode: 'off', fan: { speed: 1, on: true } }, reported: { list: [1] } } },
    current: { state: { desired: { mode: 'eco', fan: { speed: 1 } }, reported: { list: [1, 2], fresh: { x: 1 } } } },
  };
  expect(changeLines({ ...change, documents })).toEqual([
    'a config 4  desired.mode  "off" → "eco"',
    'a config 4  desired.fan.on  true → -',
    'a config 4  reported.list  [1] → [1,2]',
    'a config 4  reported.fresh.x  - → 1',
  ]);
  expect(changeLines({ ...change, documents: { previous: documents.current, current: documents.current } })).toEqual([
    'a config 4  the same again',
  ]);
  expect(changeLines({ device: 'a', version: 5, change: 'deleted' })).toEqual(['a (classic) 5  removed']);
});

test('what a device wrote cannot move the cursor', () => {
  const documents = { current: { state: { reported: { '\u009b2J': '\u009b2J' } } } };
  const [line = ''] = changeLines({ device: 'a', version: 1, change: 'updated', documents });
  // oxlint-disable-next-line no-control-regex
  expect(line).not.toMatch(/[\u0000-\u001f\u0080-\u009f]/);
  expect(
    historyRow({ version: 1, atMs: 0, by: 'device:\u001b[2J', change: 'updated', reported: { a: '\u009b' } }, 0).join(''),
  ).not.toMatch(
    // oxlint-disable-next-line no-control-regex
    /[\u0000-\u001f\u0080-\u009f]/,
  );
});

test('the history says what was written, and by whom', () => {
  expect(
    historyRow({ version: 2, atMs: 0, by: 'user:ann', change: 'updated', desired: { a: null }, reported: null }, 60_000),
  ).toEqual(['2', '60 s ago', 'user:ann', 'desired {"a":null}  reported null']);
  expect(historyRow({ version: 3, atMs: 0, by: 'device:a', change: 'deleted' }, 0).at(-1)).toBe('removed');
});

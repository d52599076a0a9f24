import { expect, it } from 'vitest';
import { previewOf } from './payload-preview.ts';
import { formatUptime } from './uptime.ts';

it('shows a payload as one line, control characters escaped and the rest cut', () => {
  expect(previewOf('{"a":1}\n\u0000\u007f')).toBe('{"a":1}\\n\\u0000\\u007f');
  expect(previewOf('x'.repeat(500))).toBe(`${'x'.repeat(160)}…`);
});

it('says how long the server is up in two units', () => {
  expect([42_000, 185_000, 25_920_000, 273_600_000].map(formatUptime)).toEqual(['42 s', '3 min 5 s', '7 h 12 min', '3 d 4 h']);
});

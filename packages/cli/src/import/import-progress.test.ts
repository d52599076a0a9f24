import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { openProgress } from './import-progress.ts';

test('elsewhere than on a terminal there is a plain line now and then, with what is left', () => {
  const stream = new PassThrough();
  let nowMs = 0;
  const view = openProgress(stream, () => nowMs);
  const at = (ms: number, bytes: number, rows: number, refused = 0): void => {
    nowMs = ms;
    view.update({ bytes, ofBytes: 1000, rows, refused });
  };
  at(100, 0, 0);
  at(1000, 100, 1000);
  at(2000, 200, 2000);
  at(3000, 300, 3000);
  at(4500, 450, 4500, 3);
  view.stop();
  expect(String(stream.read())).toBe(
    '20%, 2,000 rows, 1,000 rows/s, 8 s left\n45%, 4,500 rows, 3 refused, 1,000 rows/s, 6 s left\n',
  );
});

test('on a terminal it is a bar, also where the size is not known', () => {
  const stream = Object.assign(new PassThrough(), { isTTY: true, cursorTo: () => true, clearLine: () => true, columns: 100 });
  const view = openProgress(stream, () => 0);
  view.update({ bytes: 0, ofBytes: undefined, rows: 0 });
  view.update({ bytes: 10, ofBytes: undefined, rows: 12 });
  view.stop();
  view.stop();
  expect(String(stream.read())).toContain('12 rows');
});

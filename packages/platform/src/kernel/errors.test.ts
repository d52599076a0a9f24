import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS, isSelsynError, SelsynError, systemCode } from './errors.ts';

const PAGE = path.join(import.meta.dirname, '../../../../docs/reference/errors.md');

test('docs/reference/errors.md lists every code with its status and title, in this order, and says what to do', () => {
  const rows = [...readFileSync(PAGE, 'utf8').matchAll(/^\| `([^`]+)` \| (\d+) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const documented = rows.map(([, code, status, title]) => ({ code, status: Number(status), title }));
  expect(documented).toEqual(Object.entries(ERRORS).map(([code, { status, title }]) => ({ code, status, title })));
  for (const row of rows) expect(row[4]?.trim()).toMatch(/\.$/);
});

test('every code has an HTTP status of an error, and no two the same title', () => {
  const errors = Object.values(ERRORS);
  for (const { status } of errors) expect(status >= 400 && status < 600).toBe(true);
  expect(new Set(errors.map((error) => error.title)).size).toBe(errors.length);
});

test('an error is narrowed by its code', () => {
  const cause = Object.assign(new Error('no space'), { code: 'ENOSPC' });
  const error: unknown = new SelsynError('log.full', 'the volume is full', { cause, retryable: true, details: { path: '/x' } });
  expect(isSelsynError(error)).toBe(true);
  expect(isSelsynError(error, 'log.failed', 'log.full')).toBe(true);
  expect(isSelsynError(error, 'log.failed')).toBe(false);
  expect(isSelsynError(cause)).toBe(false);
  expect(error).toMatchObject({ retryable: true, details: { path: '/x' }, cause });
  expect([systemCode(cause), systemCode(error), systemCode('ENOSPC')]).toEqual(['ENOSPC', 'log.full', undefined]);
});

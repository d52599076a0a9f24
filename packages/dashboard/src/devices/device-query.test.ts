import { expect, it } from 'vitest';
import { deviceQuery } from './device-query.ts';

it('takes a word for the beginning of an id, and everything else for a filter', () => {
  expect(deviceQuery(' gh-0:1.a_b ', undefined)).toEqual({ q: 'gh-0:1.a_b' });
  expect(deviceQuery('type = "boiler"', '/acme')).toEqual({ filter: 'type = "boiler"', group: '/acme' });
  expect(deviceQuery('not connected = true', undefined)).toEqual({ filter: 'not connected = true' });
  expect(deviceQuery('  ', '/acme')).toEqual({ group: '/acme' });
});

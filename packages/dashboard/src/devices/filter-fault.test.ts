import { expect, it } from 'vitest';
import { Problem } from '../api/problem.ts';
import { filterFault } from './filter-fault.ts';

const problem = (details: Record<string, unknown>) =>
  new Problem({ title: 'The request is not valid', detail: 'a value expected', status: 400, code: 'request.invalid', details });

it('cuts a filter at the character that the server names', () => {
  const fault = filterFault(problem({ field: 'filter', position: 8 }), 'type = boiler');
  expect(fault).toEqual({ before: 'type = ', from: 'boiler', message: 'a value expected' });
  expect(filterFault(problem({ field: 'filter', position: 12 }), 'connected =')).toMatchObject({
    before: 'connected =',
    from: '',
  });
});

it('leaves every other error alone', () => {
  expect(filterFault(problem({ field: 'cursor' }), 'type')).toBeUndefined();
  expect(filterFault(new Error('offline'), 'type')).toBeUndefined();
});

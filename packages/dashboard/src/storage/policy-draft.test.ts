import { expect, it } from 'vitest';
import { formOf, policyOf } from './policy-draft.ts';

const policy = { name: 'short', deviceType: 'boiler', group: undefined, metric: 'vib.*', keepDays: { raw: 2, daily: null } };

it('comes out of the form as it went in', () => {
  expect(policyOf(formOf(policy))).toEqual({ policy });
});

it('takes days, years and for ever; what is empty is left to others', () => {
  const days = { raw: '7 d', hourly: '', daily: '5y', archive: 'For ever' };
  expect(policyOf({ ...formOf(policy), days })).toMatchObject({ policy: { keepDays: { raw: 7, daily: 1826, archive: null } } });
  expect(policyOf({ ...formOf(policy), days })).not.toHaveProperty('policy.keepDays.hourly');
});

it('says what is not right yet', () => {
  const form = formOf(undefined);
  expect(policyOf(form)).toEqual({ faults: { name: expect.any(String), deviceType: expect.any(String) } });
  expect(policyOf({ ...form, name: 'default' })).toHaveProperty('faults.raw');
  for (const raw of ['0', '1.5', '-1', 'week', '99999'])
    expect(policyOf({ ...form, name: 'default', days: { ...form.days, raw } })).toHaveProperty('faults.raw');
});

import { expect, it } from 'vitest';
import { certificateQuery } from './certificate-query.ts';

it('asks for a view', () => {
  expect(certificateQuery('expiring-30', '')).toEqual({ expiringWithinDays: '30' });
  expect(certificateQuery('revoked', '')).toEqual({ status: 'revoked' });
  expect(certificateQuery('claim', ' ')).toEqual({ purpose: 'claim' });
});

it('tells a fingerprint, its beginning and a serial number apart, as any tool prints them', () => {
  expect(certificateQuery('active', 'AB:CD:EF:01:23')).toEqual({ fingerprint: 'abcdef0123' });
  expect(certificateQuery('active', 'a'.repeat(64))).toEqual({ fingerprint: 'a'.repeat(64) });
  expect(certificateQuery('active', '7b'.repeat(16))).toEqual({ serial: '7b'.repeat(16) });
});

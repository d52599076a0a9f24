import type { Query } from '../api/client.ts';

export const CERTIFICATE_VIEWS = [
  { value: 'expiring-7', label: 'Ending within 7 days' },
  { value: 'expiring-30', label: 'Ending within 30 days' },
  { value: 'expiring-90', label: 'Ending within 90 days' },
  { value: 'active', label: 'Active' },
  { value: 'revoked', label: 'Revoked' },
  { value: 'claim', label: 'Claim certificates' },
] as const;

const FINGERPRINT_DIGITS = 64;

/** What is asked of the server: a view, or what is searched for. Serial numbers have at most 40 digits (RFC 5280, section 4.1.2.2). */
export function certificateQuery(show: string, find: string): Query {
  const digits = find.replaceAll(/[:\s]/g, '').toLowerCase();
  if (digits.length === FINGERPRINT_DIGITS) return { fingerprint: digits };
  if (digits !== '') return digits.length >= MIN_SERIAL_DIGITS ? { serial: digits } : { fingerprint: digits };
  const days = /^expiring-(\d+)$/.exec(show)?.[1];
  if (days !== undefined) return { expiringWithinDays: days };
  return show === 'claim' ? { purpose: 'claim' } : { status: show };
}

/** Serial numbers of this server have 32 digits; who types fewer types the beginning of a fingerprint. */
const MIN_SERIAL_DIGITS = 30;

import type { Certificate } from '../api/certificates.ts';
import type { Tone } from '../ui/badge.tsx';

/** Renewal is asked for at two thirds of life; what is left when nobody did is a reason to look. */
export const EXPIRES_SOON_MS = 30 * 86_400_000;

export interface CertificateState {
  readonly tone: Tone;
  readonly text: string;
}

/** What a certificate is good for now. */
export function certificateState(
  { status, notAfterMs }: Pick<Certificate, 'status' | 'notAfterMs'>,
  nowMs: number,
): CertificateState {
  if (status === 'revoked') return { tone: 'bad', text: 'revoked' };
  if (notAfterMs <= nowMs) return { tone: 'bad', text: 'expired' };
  if (status !== 'active') return { tone: 'plain', text: status };
  return notAfterMs - nowMs < EXPIRES_SOON_MS ? { tone: 'warn', text: 'expires soon' } : { tone: 'good', text: 'active' };
}

import type { ClaimBatch } from '../api/provisioning.ts';
import type { Tone } from '../ui/badge.tsx';

/** Whether anybody can still enrol with a claim batch, and if not, why. */
export function claimState(batch: ClaimBatch, nowMs: number): { readonly tone: Tone; readonly text: string } {
  if (batch.stoppedAtMs !== undefined) return { tone: 'bad', text: 'stopped' };
  if (batch.expiresAtMs <= nowMs) return { tone: 'plain', text: 'expired' };
  if (batch.enrolled >= batch.maxCount) return { tone: 'plain', text: 'used up' };
  return { tone: 'good', text: 'running' };
}

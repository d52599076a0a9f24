import type { Tone } from '../ui/badge.tsx';

const TONES: Readonly<Record<string, Tone>> = {
  queued: 'plain',
  sent: 'warn',
  delivered: 'warn',
  succeeded: 'good',
  failed: 'bad',
  expired: 'bad',
  cancelled: 'plain',
};

export function commandTone(state: string): Tone {
  return TONES[state] ?? 'plain';
}

/** Whether it can still be cancelled, and is still waited for. */
export function isUnderWay(state: string): boolean {
  return state === 'queued' || state === 'sent' || state === 'delivered';
}

/** What a state means for who waits. */
export function commandWords(state: string, isConnected: boolean): string {
  switch (state) {
    case 'queued':
      return isConnected ? 'Waits for the device to listen.' : 'Waits for the device to come back.';
    case 'sent':
      return 'Went out; the device has not acknowledged it yet.';
    case 'delivered':
      return 'The device has it and has not answered yet.';
    default:
      return '';
  }
}

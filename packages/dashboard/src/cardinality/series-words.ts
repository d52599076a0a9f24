import type { Tone } from '../ui/badge.tsx';

const WORDS: Readonly<Record<string, string>> = { ok: 'well below the limit', near: 'near the limit', full: 'full' };
/** As the server has it. */
const NEAR = 0.8;

export function stateWords(state: string): string {
  return WORDS[state] ?? state;
}

export function stateTone(state: string): Tone {
  return state === 'full' ? 'bad' : state === 'near' ? 'warn' : 'good';
}

/** Of a use whose state is not told. */
export function toneOfUse(series: number, limit: number | undefined): Tone {
  if (limit === undefined || series < limit * NEAR) return 'good';
  return series < limit ? 'warn' : 'bad';
}

import type { ShadowUpdate } from '../api/shadow-updates.ts';
import { formatCount, formatDuration } from '../format/number-format.ts';
import type { Tone } from '../ui/badge.tsx';
import type { BarPart } from '../ui/stacked-bar.tsx';

const TONES: Readonly<Record<string, Tone>> = { running: 'good', cancelled: 'bad' };

export function updateTone(state: string): Tone {
  return TONES[state] ?? 'plain';
}

/** The devices of an update by what came of it. */
export function updateParts({ done, unchanged, failed }: ShadowUpdate): readonly BarPart[] {
  return [
    { key: 'done', label: 'changed', count: done, tone: 'good' },
    { key: 'unchanged', label: 'had it already', count: unchanged, tone: 'plain' },
    { key: 'failed', label: 'failed', count: failed, tone: 'bad' },
  ];
}

/** How far it is, and how long it will take. */
export function updateWords(update: ShadowUpdate): string {
  const { state, total, done, unchanged, failed, left, observedPerSec, etaMs } = update;
  const parts = [
    `${formatCount(done)} of ${formatCount(total)} changed`,
    unchanged > 0 && `${formatCount(unchanged)} had it already`,
    failed > 0 && `${formatCount(failed)} failed`,
    state === 'cancelled' && left > 0 && `${formatCount(left)} left out`,
    state === 'running' && observedPerSec >= 1 && `${formatCount(observedPerSec)} a second`,
    state === 'running' && etaMs !== undefined && `${formatDuration(Math.ceil(etaMs / 1000) * 1000)} to go`,
  ];
  return parts.filter((part) => part !== false).join(', ');
}

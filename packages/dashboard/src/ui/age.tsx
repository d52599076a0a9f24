import { useSyncExternalStore } from 'react';
import { useServices } from '../app/services.ts';
import { formatAge, formatTime, freshness } from '../format/age.ts';
import styles from './age.module.css';

/** How long ago, counted on; amber after a minute, red after ten. */
export function Age({ timeMs, dot = false }: { readonly timeMs: number | undefined; readonly dot?: boolean }) {
  const { ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  if (timeMs === undefined) return <span className={styles.never}>no data yet</span>;
  const ageMs = nowMs - timeMs;
  const state = freshness(ageMs);
  return (
    <time
      className={styles.age}
      data-freshness={state}
      data-testid="age"
      dateTime={isoOf(timeMs)}
      title={formatTime(timeMs, true)}
    >
      {dot && <i className={styles.dot} aria-hidden="true" />}
      {formatAge(ageMs)}
    </time>
  );
}

function isoOf(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

import { formatTime } from '../format/age.ts';
import { formatDuration } from '../format/number-format.ts';
import styles from './state-times.module.css';

export interface StateTime {
  readonly key: string;
  readonly label: string;
  readonly atMs: number;
  /** What was said with it. */
  readonly note?: string;
}

/** States in their order, each with its time and how long after the one before. */
export function StateTimes({ label, states }: { readonly label: string; readonly states: readonly StateTime[] }) {
  return (
    <ol className={styles.times} aria-label={label}>
      {states.map(({ key, label: name, atMs, note }, at) => {
        const before = states[at - 1];
        return (
          <li key={key}>
            <strong>{name}</strong>
            <time dateTime={new Date(atMs).toISOString()}>{formatTime(atMs, true)}</time>
            {before !== undefined && <span>+{formatDuration(atMs - before.atMs)}</span>}
            {note !== undefined && note !== '' && <em>{note}</em>}
          </li>
        );
      })}
    </ol>
  );
}

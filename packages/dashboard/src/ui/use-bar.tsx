import { formatCount } from '../format/number-format.ts';
import type { Tone } from './badge.tsx';
import styles from './use-bar.module.css';

interface UseBarProps {
  readonly label: string;
  readonly used: number;
  /** Absent: none. */
  readonly limit: number | undefined;
  readonly tone: Tone;
}

/** How much of a limit is used. */
export function UseBar({ label, used, limit, tone }: UseBarProps) {
  return (
    <span className={styles.use} data-tone={tone}>
      {formatCount(used)} <span className={styles.of}>{limit === undefined ? 'no limit' : `of ${formatCount(limit)}`}</span>
      {limit !== undefined && <progress aria-label={label} max={Math.max(1, limit)} value={Math.min(used, limit)} />}
    </span>
  );
}

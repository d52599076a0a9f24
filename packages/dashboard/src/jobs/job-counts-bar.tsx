import type { JobCounts } from '../api/jobs.ts';
import { formatCount } from '../format/number-format.ts';
import { countParts } from './job-words.ts';
import styles from './jobs.module.css';

interface JobCountsBarProps {
  readonly counts: JobCounts;
  /** Empty: all. */
  readonly selected: string;
  readonly onSelect: (status: string) => void;
}

/** How many devices stand how; each leaves only those in the list below, and once more all of them. */
export function JobCountsBar({ counts, selected, onSelect }: JobCountsBarProps) {
  return (
    <div className={styles.counts} role="group" aria-label="Executions by status">
      {countParts(counts).map(({ key, label, count, tone }) => (
        <button
          key={key}
          type="button"
          className={styles.count}
          data-count={key}
          data-empty={count === 0}
          aria-pressed={key === selected}
          onClick={() => onSelect(key === selected ? '' : key)}
        >
          <strong>{formatCount(count)}</strong>
          <span>
            <i data-tone={tone} aria-hidden="true" />
            {label}
          </span>
        </button>
      ))}
    </div>
  );
}

import type { LetGo } from '../api/retention.ts';
import { formatBytes } from '../format/number-format.ts';
import { When } from '../ui/when.tsx';
import { levelName, spanText } from './storage-words.ts';
import styles from './storage.module.css';

interface LetGoListProps {
  readonly letGo: readonly LetGo[];
  readonly lastPassMs: number | undefined;
}

/** What went last, and why. */
export function LetGoList({ letGo, lastPassMs }: LetGoListProps) {
  if (letGo.length === 0) {
    return (
      <p className={styles.quiet}>
        Nothing was let go yet
        {lastPassMs !== undefined && (
          <>
            , looked at <When timeMs={lastPassMs} />
          </>
        )}
        .
      </p>
    );
  }
  return (
    <ul className={styles.gone} aria-label="Let go last">
      {letGo.map(({ atMs, level, file, from, to, because, freedBytes }) => (
        <li key={`${atMs} ${file}`}>
          <When timeMs={atMs} /> {levelName(level).toLowerCase()} of {spanText({ from, to })}: {formatBytes(freedBytes)} freed
          {because === 'space' && ', for want of space'}
        </li>
      ))}
    </ul>
  );
}

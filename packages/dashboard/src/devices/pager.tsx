import { ActionIcon } from '@mantine/core';
import { formatCount } from '../format/number-format.ts';
import { Icon } from '../ui/icons.tsx';
import styles from './pager.module.css';

interface PagerProps {
  readonly first: number;
  readonly count: number;
  readonly onPrevious: (() => void) | undefined;
  readonly onNext: (() => void) | undefined;
}

/** Back and forth between pages; not there while one page holds all. */
export function Pager({ first, count, onPrevious, onNext }: PagerProps) {
  if (onPrevious === undefined && onNext === undefined) return null;
  const last = first + count - 1;
  return (
    <nav className={styles.pager} aria-label="Pages of devices">
      <span>
        {formatCount(first)}–{formatCount(last)}
      </span>
      <ActionIcon variant="default" aria-label="Previous page" disabled={onPrevious === undefined} onClick={onPrevious}>
        <Icon name="back" />
      </ActionIcon>
      <ActionIcon variant="default" aria-label="Next page" disabled={onNext === undefined} onClick={onNext}>
        <Icon name="forward" />
      </ActionIcon>
    </nav>
  );
}

import { Button } from '@mantine/core';
import { toProblem } from '../api/problem.ts';
import { Icon } from './icons.tsx';
import styles from './problem-notice.module.css';

/** What went wrong, in the server's own words, and a way to try again. */
export function ProblemNotice({ error, onRetry }: { readonly error: unknown; readonly onRetry?: () => void }) {
  const problem = toProblem(error);
  return (
    <div className={styles.notice} role="alert" data-testid="problem">
      <span className={styles.icon}>
        <Icon name="alert" size={18} />
      </span>
      <div className={styles.words}>
        <strong>{problem.title}</strong>
        <p>{problem.detail}</p>
        {problem.code !== '' && <code>{problem.code}</code>}
      </div>
      {onRetry && (
        <Button size="xs" variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

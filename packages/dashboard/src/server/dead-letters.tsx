import { Button } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useSyncExternalStore } from 'react';
import { fetchDeadLetters, type DeadLetter } from '../api/dead-letters.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './dead-letters.module.css';
import { previewOf } from './payload-preview.ts';
import page from './server-page.module.css';

/** What could not be decoded, with the reason; newest first. */
export function DeadLetters() {
  const { client, stats } = useServices();
  const count = useSyncExternalStore(stats.subscribe, () => stats.latest()?.deadLetters);
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    queryKey: ['dead-letters'],
    queryFn: ({ pageParam, signal }) => fetchDeadLetters(client, pageParam, signal),
    initialPageParam: undefined as string | undefined, // widens the type: the first page has no cursor
    getNextPageParam: (last) => last.cursor,
    maxPages: 20,
  });
  const letters = data?.pages.flatMap((part) => part.items) ?? [];
  return (
    <section className={page.section} aria-label="Dead letters">
      <h2>Dead letters {count !== undefined && <span className={styles.count}>{formatCount(count)}</span>}</h2>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {error === null && (
        <div className={styles.frame}>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Arrived</th>
                <th scope="col">Device</th>
                <th scope="col">Reason</th>
                <th scope="col">Payload</th>
              </tr>
            </thead>
            <tbody>
              {letters.map((letter) => (
                <Letter key={letter.key} letter={letter} />
              ))}
              {letters.length === 0 && (
                <tr>
                  <td colSpan={4} className={styles.none}>
                    {isPending ? 'Loading…' : 'None: every message that arrived could be decoded.'}
                  </td>
                </tr>
              )}
            </tbody>
          </table>
        </div>
      )}
      {hasNextPage && (
        <Button
          className={styles.more}
          variant="default"
          size="xs"
          loading={isFetchingNextPage}
          onClick={() => void fetchNextPage()}
        >
          Older ones
        </Button>
      )}
    </section>
  );
}

function Letter({ letter }: { readonly letter: DeadLetter }) {
  return (
    <tr data-dead-letter={letter.key}>
      <td className={styles.time}>{formatTime(letter.arrivalMs)}</td>
      <td className={styles.device}>
        <Link to="/devices/$deviceId" params={{ deviceId: letter.device }}>
          {letter.device}
        </Link>
      </td>
      <td className={styles.reason}>
        {letter.reason}
        <code>{letter.code}</code>
      </td>
      <td className={styles.payload}>
        <code title={letter.payload}>{previewOf(letter.payload)}</code>
        <small>{formatBytes(letter.payloadBytes)}</small>
      </td>
    </tr>
  );
}

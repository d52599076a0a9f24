import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, type ReactNode } from 'react';
import { fetchWho, may } from '../api/who.ts';
import { useServices } from '../app/services.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './sign-in.module.css';
import { WhoContext } from './who.ts';

const FRESH_FOR_MS = 60_000;

/** Shows what is inside once it is known who is signed in. */
export function WhoGate({ children }: { readonly children: ReactNode }) {
  const { client, connection, session } = useServices();
  const { data, error, refetch } = useQuery({
    queryKey: ['who'],
    queryFn: ({ signal }) => fetchWho(client, undefined, signal),
    staleTime: FRESH_FOR_MS,
  });
  const mayWatch = data === undefined || may(data, 'telemetry:read');
  useEffect(() => {
    if (!mayWatch) connection.stop();
  }, [connection, mayWatch]);
  if (data !== undefined) return <WhoContext value={data}>{children}</WhoContext>;
  if (error === null) return null;
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <ProblemNotice error={error} onRetry={() => void refetch()} />
        <Button variant="default" onClick={() => session.signOut('none')}>
          Sign in again
        </Button>
      </div>
    </main>
  );
}

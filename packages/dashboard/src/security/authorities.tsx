import { useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { fetchAuthorities, type Authority } from '../api/authorities.ts';
import { useServices } from '../app/services.ts';
import { certificateState } from '../certificates/certificate-state.ts';
import { formatTime } from '../format/age.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import styles from './security.module.css';

/** The authorities whose certificates are taken. */
export function Authorities() {
  const { client } = useServices();
  const { data, error, refetch } = useQuery({
    queryKey: ['authorities'],
    queryFn: ({ signal }) => fetchAuthorities(client, signal),
  });
  return (
    <section className={styles.section} aria-label="Authorities">
      <div className={styles.head}>
        <h2>Authorities</h2>
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && (
        <EmptyNote
          title="No authority"
          command={{ title: 'An offline root, and an intermediate', command: 'npx selsyn pki --help' }}
        />
      )}
      {data !== undefined && data.length > 0 && (
        <DataTable label="Authorities" columns={['Subject', 'Whose', 'State', 'Registers by template', 'Ends']}>
          {data.map((authority) => (
            <AuthorityRow key={authority.id} authority={authority} />
          ))}
        </DataTable>
      )}
    </section>
  );
}

function AuthorityRow({ authority }: { readonly authority: Authority }) {
  const { ticker } = useServices();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  const state = certificateState(authority, nowMs);
  return (
    <tr data-authority={authority.id}>
      <td data-label="Subject">
        <span>
          {authority.subject}
          <small title={authority.id}>{authority.id.slice(0, 16)}…</small>
        </span>
      </td>
      <td data-label="Whose">{authority.kind === 'own' ? 'this server’s' : 'registered'}</td>
      <td data-label="State">
        <Badge tone={state.tone}>{state.text}</Badge>
      </td>
      <td data-label="Template">{authority.template ?? '–'}</td>
      <td data-label="Ends">
        <span>
          <When timeMs={authority.notAfterMs} />
          <small>{formatTime(authority.notAfterMs).slice(0, 10)}</small>
        </span>
      </td>
    </tr>
  );
}

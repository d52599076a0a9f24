import type { ReactNode } from 'react';
import { fetchAudit } from '../api/audit.ts';
import type { Query } from '../api/client.ts';
import { useServices } from '../app/services.ts';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { AuditRow } from './audit-row.tsx';

interface AuditListProps {
  readonly query: Query;
  /** All of it is about one object, which need not be named in each row. */
  readonly ofOneObject?: boolean;
  readonly empty: ReactNode;
}

/** Changes, the newest first. */
export function AuditList({ query, ofOneObject = false, empty }: AuditListProps) {
  const { client } = useServices();
  const pages = usePages({ key: ['audit', query], fetch: (cursor, signal) => fetchAudit(client, query, cursor, signal) });
  return (
    <PagedTable
      label="Changes"
      columns={['When', 'Who', 'Action', ...(ofOneObject ? [] : ['Object']), 'What changed']}
      pages={pages}
      row={(entry) => <AuditRow key={entry.id} entry={entry} withObject={!ofOneObject} />}
      empty={empty}
    />
  );
}

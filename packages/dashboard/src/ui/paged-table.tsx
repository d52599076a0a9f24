import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { DataTable } from './data-table.tsx';
import styles from './paged-table.module.css';
import { ProblemNotice } from './problem-notice.tsx';
import type { Pages } from './use-pages.ts';

interface PagedTableProps<T> {
  readonly label: string;
  readonly columns: readonly string[];
  readonly pages: Pages<T>;
  readonly row: (item: T) => ReactNode;
  /** Where there is nothing. */
  readonly empty: ReactNode;
}

/** A list in pages: what went wrong, what to do when there is nothing, or its rows and a way to more. */
export function PagedTable<T>({ label, columns, pages, row, empty }: PagedTableProps<T>) {
  if (pages.error !== null && pages.items.length === 0) return <ProblemNotice error={pages.error} onRetry={pages.retry} />;
  if (pages.isPending) return <p className={styles.loading}>Loading…</p>;
  // A page may be short while there is more.
  if (pages.items.length === 0 && !pages.hasMore) return empty;
  return (
    <>
      <DataTable label={label} columns={columns}>
        {pages.items.map(row)}
      </DataTable>
      {pages.error !== null && <ProblemNotice error={pages.error} onRetry={pages.retry} />}
      {pages.hasMore && (
        <Button className={styles.more} variant="default" size="xs" loading={pages.isFetchingMore} onClick={pages.fetchMore}>
          Show more
        </Button>
      )}
    </>
  );
}

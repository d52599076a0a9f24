import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchBadObjects, giveUpObject, type BadObject } from '../api/archive.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { badObjectText } from './storage-words.ts';
import styles from './storage.module.css';

const REFETCH_MS = 30_000;
const COLUMNS = ['Object', 'Points', 'Bytes', 'Since', 'Why', ''];

interface BadObjectsProps {
  /** All of them; the first ones are listed. */
  readonly count: number;
  readonly mayWrite: boolean;
}

/** Archived objects that are damaged or gone, and the way out. */
export function BadObjects({ count, mayWrite }: BadObjectsProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [giving, setGiving] = useState<BadObject>();
  const { data, error, refetch } = useQuery({
    queryKey: ['archive', 'bad'],
    queryFn: ({ signal }) => fetchBadObjects(client, signal),
    refetchInterval: REFETCH_MS,
  });
  const giveUp = useMutation({
    mutationFn: async (id: number) => await giveUpObject(client, id),
    onSuccess: () => setGiving(undefined),
    onSettled: () => {
      for (const key of ['archive', 'erasures', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <>
      <div className={styles.warning} role="alert">
        <p>
          <strong>{count === 1 ? 'An archived object is' : `${formatCount(count)} archived objects are`} damaged or gone.</strong>{' '}
          Such an object is left as it is and looked at again from time to time; only erasures and late points that need it wait.
          Put the file back from a copy and press “Archive now”, or give it up.
        </p>
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data !== undefined && (
        <DataTable label="Objects that cannot be used" columns={COLUMNS}>
          {data.items.map((object) => (
            <tr key={object.id} data-object={object.id}>
              <td data-label="Object">{object.key}</td>
              <td data-label="Points">{formatCount(object.points)}</td>
              <td data-label="Bytes" className={styles.bytes}>
                {formatBytes(object.bytes)}
              </td>
              <td data-label="Since">
                <When timeMs={object.sinceMs} />
              </td>
              <td data-label="Why">{badObjectText(object)}</td>
              <td className={styles.action}>
                {mayWrite && (
                  <Button
                    variant="default"
                    size="compact-xs"
                    aria-label={`Give up ${object.key}`}
                    onClick={() => setGiving(object)}
                  >
                    Give up
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </DataTable>
      )}
      {data !== undefined && data.items.length < count && (
        <p className={styles.quiet}>
          The first {formatCount(data.items.length)}; <code>selsyn archive bad</code> lists all.
        </p>
      )}
      <ConfirmDialog
        opened={giving !== undefined}
        title="Give up this object?"
        action="Give it up"
        keep="Keep it"
        isPending={giveUp.isPending}
        error={giveUp.error}
        onConfirm={() => giving !== undefined && giveUp.mutate(giving.id)}
        onClose={() => setGiving(undefined)}
        onClosed={giveUp.reset}
      >
        <p>
          <strong>{giving?.key}</strong> is deleted, and with it {formatCount(giving?.points ?? 0)} points that are nowhere else,
          but for what the store still has of them.
        </p>
      </ConfirmDialog>
    </>
  );
}

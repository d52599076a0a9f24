import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { cancelShadowUpdate, fetchShadowUpdates, type ShadowUpdate } from '../api/shadow-updates.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { targetWords } from '../targets/target.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { BULK_COLUMNS, BulkRow } from './bulk-row.tsx';
import styles from './bulk.module.css';
import { StartBulkDialog } from './start-bulk-dialog.tsx';

const RUNNING_REFETCH_MS = 1_000;
const REFETCH_MS = 15_000;

/** Settings that many devices are given at once: each an update that goes on by itself. */
export function BulkTab() {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const [starting, setStarting] = useState(false);
  const [cancelling, setCancelling] = useState<ShadowUpdate>();
  const pages = usePages({
    key: ['shadow-updates'],
    fetch: (cursor, signal) => fetchShadowUpdates(client, {}, cursor, signal),
    refetchEveryMs: (updates) => (updates.some(({ state }) => state === 'running') ? RUNNING_REFETCH_MS : REFETCH_MS),
  });
  const cancel = useMutation({
    mutationFn: cancelShadowUpdate.bind(null, client),
    onSuccess: () => setCancelling(undefined),
    onSettled: () => {
      for (const key of ['shadow-updates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const mayWrite = may('shadows:write');
  return (
    <section aria-label="Bulk settings">
      <div className={styles.head}>
        <p>
          What is desired of all devices that are meant when it begins. It goes on over a restart of the server. For devices that
          join later there are defaults.
        </p>
        {mayWrite && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setStarting(true)}>
            Set for many
          </Button>
        )}
      </div>
      <PagedTable
        label="Bulk settings"
        columns={BULK_COLUMNS}
        pages={pages}
        row={(update) => <BulkRow key={update.id} update={update} onCancel={mayWrite ? setCancelling : undefined} />}
        empty={
          <EmptyNote
            title="Nothing was set for many devices yet"
            command={
              mayWrite
                ? { title: 'The same from a shell', command: `npx selsyn shadow bulk set '{"mode":"eco"}' group:/acme --wait` }
                : undefined
            }
          >
            One setting reaches a group, a fleet or all that a filter finds, at a rate, with a list of those that it failed for.
          </EmptyNote>
        }
      />
      <StartBulkDialog opened={starting} onClose={() => setStarting(false)} />
      <ConfirmDialog
        opened={cancelling !== undefined}
        title="Cancel this update?"
        action="Cancel it"
        keep="Let it go on"
        isPending={cancel.isPending}
        error={cancel.error}
        onConfirm={() => cancelling !== undefined && cancel.mutate(cancelling.id)}
        onClose={() => setCancelling(undefined)}
        onClosed={cancel.reset}
      >
        <p>
          The devices of <strong>{cancelling === undefined ? '' : targetWords(cancelling.target)}</strong> that have it keep it;
          the others are left as they are.
        </p>
      </ConfirmDialog>
    </section>
  );
}

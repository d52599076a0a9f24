import { NativeSelect } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { cancelCommand, fetchCommands, type Command } from '../api/commands.ts';
import type { Device } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { useStateFeed } from '../live/use-state-feed.ts';
import { useWho } from '../session/who.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { COMMAND_COLUMNS, CommandRow } from './command-row.tsx';
import styles from './commands.module.css';
import { SendForm } from './send-form.tsx';

const VIEWS = [
  { value: '', label: 'All' },
  { value: 'queued,sent,delivered', label: 'Under way' },
  { value: 'succeeded', label: 'Succeeded' },
  { value: 'failed,expired', label: 'Failed or expired' },
  { value: 'cancelled', label: 'Cancelled' },
];

/** Commands to a device: giving one, and what became of those that were given, as it happens. */
export function CommandsTab({ device }: { readonly device: Device }) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const [states, setStates] = useState('');
  const [cancelling, setCancelling] = useState<Command>();
  const query = states === '' ? {} : { state: states };
  const pages = usePages({
    key: ['commands', device.id, states],
    fetch: (cursor, signal) => fetchCommands(client, device.id, query, cursor, signal),
  });
  const refresh = () => void queries.invalidateQueries({ queryKey: ['commands', device.id] });
  useStateFeed('commands', device.id, refresh);
  const cancel = useMutation({
    mutationFn: async (id: string) => await cancelCommand(client, device.id, id),
    onSuccess: () => setCancelling(undefined),
    onSettled: refresh,
  });
  const mayWrite = may('commands:write', device.group);
  return (
    <section className={styles.tab} aria-label="Commands">
      {mayWrite && <SendForm device={device} names={[...new Set(pages.items.map(({ name }) => name))]} />}
      <div>
        <div className={styles.head}>
          <h2>Commands</h2>
          <NativeSelect
            size="xs"
            aria-label="Which commands"
            data={VIEWS}
            value={states}
            onChange={(event) => setStates(event.currentTarget.value)}
          />
        </div>
        <PagedTable
          label="Commands of this device"
          columns={COMMAND_COLUMNS}
          pages={pages}
          row={(command) => (
            <CommandRow
              key={command.id}
              command={command}
              isConnected={device.connectivity?.connected === true}
              onCancel={mayWrite ? setCancelling : undefined}
            />
          )}
          empty={
            <EmptyNote
              title={states === '' ? 'No command yet' : 'No such command'}
              command={
                mayWrite ? { title: 'The same from a shell', command: `npx selsyn command send ${device.id} reboot` } : undefined
              }
            >
              {mayWrite
                ? 'What is given to this device shows here, with its states and the answer.'
                : 'It takes the permission commands:write to give one.'}
            </EmptyNote>
          }
        />
      </div>
      <ConfirmDialog
        opened={cancelling !== undefined}
        title={`Cancel ${cancelling?.name ?? ''}?`}
        action="Cancel the command"
        keep="Leave it"
        isPending={cancel.isPending}
        error={cancel.error}
        onConfirm={() => cancelling !== undefined && cancel.mutate(cancelling.id)}
        onClose={() => setCancelling(undefined)}
        onClosed={cancel.reset}
      >
        <p>It is not sent any more. A device that has it already is not stopped; its answer is kept and does not count.</p>
      </ConfirmDialog>
    </section>
  );
}

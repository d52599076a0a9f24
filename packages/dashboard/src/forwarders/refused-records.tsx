import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { discardRefused, fetchRefused, resendRefused } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { previewOf } from '../server/payload-preview.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { usePages } from '../ui/use-pages.ts';
import { When } from '../ui/when.tsx';
import styles from './forwarders.module.css';

interface RefusedRecordsProps {
  readonly id: string;
  readonly count: number;
  readonly mayWrite: boolean;
}

/** Records that the target refused: they are kept, and can be sent again once it takes them. */
export function RefusedRecords({ id, count, mayWrite }: RefusedRecordsProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [discarding, setDiscarding] = useState(false);
  const again = () => {
    for (const key of ['forwarders', 'forwarder-refused']) void queries.invalidateQueries({ queryKey: [key] });
  };
  const pages = usePages({
    // More of them: the list is another one.
    key: ['forwarder-refused', id, count],
    fetch: (cursor, signal) => fetchRefused(client, id, cursor, signal),
  });
  const resend = useMutation({ mutationFn: async () => await resendRefused(client, id), onSettled: again });
  const discard = useMutation({
    mutationFn: async () => await discardRefused(client, id),
    onSuccess: () => setDiscarding(false),
    onSettled: again,
  });
  return (
    <div data-testid="refused">
      <div className={styles.refusedHead}>
        <h3>{count === 1 ? 'One record was refused' : `${formatCount(count)} records were refused`}</h3>
        {mayWrite && (
          <>
            <Button variant="default" size="compact-xs" loading={resend.isPending} onClick={() => resend.mutate()}>
              Send them again
            </Button>
            <Button variant="default" size="compact-xs" onClick={() => setDiscarding(true)}>
              Give them up…
            </Button>
          </>
        )}
        {resend.data !== undefined && (
          <span role="status">
            {formatCount(resend.data.sent)} sent, {formatCount(resend.data.left)} left
          </span>
        )}
      </div>
      {resend.error !== null && <ProblemNotice error={resend.error} />}
      <PagedTable
        label="Refused records"
        columns={['Device', 'Why', 'Payload', 'When']}
        pages={pages}
        row={({ number, device, topic, reason, payload, refusedAtMs }) => (
          <tr key={number} data-refused={number}>
            <td data-label="Device">
              <span>
                {device}
                <small>{topic}</small>
              </span>
            </td>
            <td data-label="Why">{reason}</td>
            <td data-label="Payload">
              <code title={payload}>{previewOf(payload)}</code>
            </td>
            <td data-label="When">
              <When timeMs={refusedAtMs} />
            </td>
          </tr>
        )}
        empty={<p>There are none any more.</p>}
      />
      <ConfirmDialog
        opened={discarding}
        title="Give up these records?"
        action="Give them up"
        keep="Keep them"
        isPending={discard.isPending}
        error={discard.error}
        onConfirm={() => discard.mutate()}
        onClose={() => setDiscarding(false)}
        onClosed={discard.reset}
      >
        <p>
          The target of <strong>{id}</strong> never gets them. They stay in the telemetry that is stored here.
        </p>
      </ConfirmDialog>
    </div>
  );
}

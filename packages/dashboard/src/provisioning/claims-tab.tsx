import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, useSyncExternalStore } from 'react';
import { fetchClaimBatches, stopClaimBatch, type ClaimBatch } from '../api/provisioning.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { claimState } from './claim-state.ts';
import styles from './provisioning.module.css';

const REFETCH_MS = 10_000;
const CREATE = `npx selsyn provisioning claim create BATCH --template TEMPLATE --count 1000
npx selsyn provisioning claim certificate BATCH --out .`;

/** The batches of claim certificates that a factory puts into its units. */
export function ClaimsTab() {
  const { client } = useServices();
  const queries = useQueryClient();
  const [stopping, setStopping] = useState<ClaimBatch>();
  const { data, error, refetch } = useQuery({
    queryKey: ['claims'],
    queryFn: ({ signal }) => fetchClaimBatches(client, signal),
    refetchInterval: REFETCH_MS,
  });
  const stop = useMutation({
    mutationFn: stopClaimBatch.bind(null, client),
    onSuccess: () => {
      for (const key of ['claims', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      setStopping(undefined);
    },
  });
  return (
    <section aria-label="Claim batches">
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {data?.length === 0 && (
        <EmptyNote title="No claim batch yet" command={{ title: 'Makes a batch, and its certificate', command: CREATE }}>
          A factory flashes every unit with the claim certificate of a batch. With it a unit can only enrol.
        </EmptyNote>
      )}
      {data !== undefined && data.length > 0 && (
        <DataTable label="Claim batches" columns={['Batch', 'State', 'Enrolled', 'At most', 'Expires', '']}>
          {data.map((batch) => (
            <ClaimRow key={batch.name} batch={batch} onStop={setStopping} />
          ))}
        </DataTable>
      )}
      <ConfirmDialog
        opened={stopping !== undefined}
        title="Stop this claim batch?"
        action="Stop it for good"
        keep="Keep it running"
        isPending={stop.isPending}
        error={stop.error}
        onConfirm={() => stopping !== undefined && stop.mutate(stopping.name)}
        onClose={() => setStopping(undefined)}
        onClosed={stop.reset}
      >
        <p>
          Nobody enrols with a certificate of <strong>{stopping?.name}</strong> from now on. Devices that have enrolled stay. It
          cannot be started again.
        </p>
      </ConfirmDialog>
    </section>
  );
}

function ClaimRow({ batch, onStop }: { readonly batch: ClaimBatch; readonly onStop: (batch: ClaimBatch) => void }) {
  const { ticker } = useServices();
  const { may } = useWho();
  const nowMs = useSyncExternalStore(ticker.subscribe, ticker.now);
  const state = claimState(batch, nowMs);
  return (
    <tr data-claim={batch.name} data-state={state.text}>
      <td data-label="Batch">
        <span>
          <Link to="/provisioning" search={{ tab: 'attempts', claim: batch.name }}>
            {batch.name}
          </Link>
          <small>
            template {batch.template}
            {batch.group !== '/' && ` · ${batch.group}`}
          </small>
        </span>
      </td>
      <td data-label="State">
        <Badge tone={state.tone}>{state.text}</Badge>
      </td>
      <td data-label="Enrolled" className={styles.used}>
        <span>
          {formatCount(batch.enrolled)} of {formatCount(batch.maxCount)}
          <progress value={batch.enrolled} max={batch.maxCount} aria-label={`Enrolled with ${batch.name}`} />
        </span>
      </td>
      <td data-label="At most">{formatCount(batch.ratePerMinute)} a minute</td>
      <td data-label="Expires">
        <span>
          <When timeMs={batch.expiresAtMs} />
          <small>{formatTime(batch.expiresAtMs).slice(0, 10)}</small>
        </span>
      </td>
      <td>
        <div className={styles.buttons}>
          {batch.stoppedAtMs === undefined && may('provisioning:write', batch.group) && (
            <Button color="brick" size="xs" leftSection={<Icon name="stop" size={12} />} onClick={() => onStop(batch)}>
              Stop
            </Button>
          )}
        </div>
      </td>
    </tr>
  );
}

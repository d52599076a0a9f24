import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { pauseForwarder, type Forwarder } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import { formatBytes, formatCount } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { DetailRow } from '../ui/detail-row.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { ForwarderDetails } from './forwarder-details.tsx';
import { forwarderState, lagText, targetText, troubleOf } from './forwarder-words.ts';
import styles from './forwarders.module.css';

export const FORWARDER_COLUMNS = ['Forwarder', 'State', 'Behind', 'Sent', 'Failed', ''] as const;

interface ForwarderRowProps {
  readonly forwarder: Forwarder;
  /** Absent: it may not be changed. */
  readonly onEdit: (() => void) | undefined;
  readonly onRemove: (() => void) | undefined;
}

/** A forwarder, how it gets on; opens to more, and to what its target refused. */
export function ForwarderRow({ forwarder, onEdit, onRemove }: ForwarderRowProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const { id, description, target, paused, state } = forwarder;
  const pause = useMutation({
    mutationFn: async (next: boolean) => await pauseForwarder(client, id, next),
    onSettled: () => {
      for (const key of ['forwarders', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const { tone, text } = forwarderState(forwarder);
  const trouble = paused ? undefined : troubleOf(state);
  const { kind, place } = targetText(target);
  return (
    <DetailRow
      about={{ 'data-forwarder': id, 'data-state': paused ? 'paused' : (state?.health ?? '') }}
      label="Forwarder"
      title={id}
      note={
        <>
          {kind} · {place}
          {description !== undefined && <span className={styles.about}>{description}</span>}
        </>
      }
      columns={FORWARDER_COLUMNS.length}
      details={() => <ForwarderDetails forwarder={forwarder} onEdit={onEdit} onRemove={onRemove} />}
    >
      <td data-label="State">
        <span>
          <Badge tone={tone}>{text}</Badge>
          {trouble !== undefined && <small className={styles.error}>{trouble}</small>}
        </span>
      </td>
      <td data-label="Behind">
        {state !== undefined && (
          <span>
            {lagText(state)}
            {state.lagRecords > 0 && (
              <small>
                {formatCount(state.lagRecords)} records, {formatBytes(state.lagBytes)}
              </small>
            )}
          </span>
        )}
      </td>
      <td data-label="Sent">
        {state !== undefined && (
          <span data-testid="sent">
            {formatCount(state.sent)}
            {state.lastSentMs !== undefined && (
              <small>
                <When timeMs={state.lastSentMs} />
              </small>
            )}
          </span>
        )}
      </td>
      <td data-label="Failed">
        {state !== undefined && (
          <span>
            {formatCount(state.failures)}
            {state.refused > 0 && <small className={styles.error}>{formatCount(state.refused)} refused</small>}
            {state.skipped > 0 && <small className={styles.error}>{formatCount(state.skipped)} skipped</small>}
          </span>
        )}
      </td>
      <td className={styles.action}>
        {onRemove !== undefined && (
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`${paused ? 'Resume' : 'Pause'} ${id}`}
            loading={pause.isPending}
            onClick={() => pause.mutate(!paused)}
          >
            {paused ? 'Resume' : 'Pause'}
          </Button>
        )}
        {pause.error !== null && <ProblemNotice error={pause.error} />}
      </td>
    </DetailRow>
  );
}

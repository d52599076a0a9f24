import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { fetchShadowUpdateFailures, type ShadowUpdate } from '../api/shadow-updates.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatCount } from '../format/number-format.ts';
import { shadowTitle } from '../shadow/shadow-words.ts';
import { targetWords } from '../targets/target.ts';
import { Badge } from '../ui/badge.tsx';
import { DetailRow } from '../ui/detail-row.tsx';
import { JsonBlock } from '../ui/json-block.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { StackedBar } from '../ui/stacked-bar.tsx';
import { usePages } from '../ui/use-pages.ts';
import { When } from '../ui/when.tsx';
import styles from './bulk.module.css';
import { updateParts, updateTone, updateWords } from './update-words.ts';

export const BULK_COLUMNS = ['Devices', 'State', 'Progress', 'Begun', ''] as const;

interface BulkRowProps {
  readonly update: ShadowUpdate;
  /** Absent: it may not be cancelled. */
  readonly onCancel: ((update: ShadowUpdate) => void) | undefined;
}

/** An update of many devices; opens to what it sets and to the devices that it failed for. */
export function BulkRow({ update, onCancel }: BulkRowProps) {
  const { id, kind, state, target, desired, startedBy, createdAtMs, total } = update;
  return (
    <DetailRow
      about={{ 'data-update': id, 'data-state': state }}
      label="Devices"
      title={target === 'devices' ? `${formatCount(total)} by their ids` : targetWords(target)}
      note={kind === 'defaults' ? 'what is inherited' : <code className={styles.json}>{JSON.stringify(desired)}</code>}
      columns={BULK_COLUMNS.length}
      details={() => <BulkDetails update={update} />}
    >
      <td data-label="State">
        <Badge tone={updateTone(state)}>{state}</Badge>
      </td>
      <td data-label="Progress" className={styles.progress}>
        <span>
          <StackedBar label="Devices" parts={updateParts(update)} total={total} />
          <small>{updateWords(update)}</small>
        </span>
      </td>
      <td data-label="Begun">
        <span>
          <When timeMs={createdAtMs} />
          <small>{startedBy}</small>
        </span>
      </td>
      <td className={styles.action}>
        {onCancel !== undefined && state === 'running' && kind === 'desired' && (
          <Button
            variant="default"
            size="compact-xs"
            aria-label={`Cancel ${targetWords(target)}`}
            onClick={() => onCancel(update)}
          >
            Cancel
          </Button>
        )}
      </td>
    </DetailRow>
  );
}

function BulkDetails({ update }: { readonly update: ShadowUpdate }) {
  const { id, kind, shadow, desired, ratePerSec, finishedAtMs, failed } = update;
  return (
    <div className={styles.details}>
      <p className={styles.quiet}>
        {shadow === '*' ? 'All shadows that have defaults' : shadowTitle(shadow)} · at most {formatCount(ratePerSec)} devices a
        second{finishedAtMs !== undefined && ` · ended ${formatTime(finishedAtMs)}`} · id <code>{id}</code>
      </p>
      {kind === 'desired' && (
        <div>
          <h3>Desired</h3>
          <JsonBlock label="Desired" value={desired} />
        </div>
      )}
      {failed > 0 && <BulkFailures update={update} />}
    </div>
  );
}

function BulkFailures({ update: { id, failed, shadow } }: { readonly update: ShadowUpdate }) {
  const { client } = useServices();
  const pages = usePages({
    // More of them: the list is another one.
    key: ['shadow-update-failures', id, failed],
    fetch: (cursor, signal) => fetchShadowUpdateFailures(client, id, cursor, signal),
  });
  return (
    <div data-testid="failures">
      <h3>{failed === 1 ? 'Failed for one device' : `Failed for ${formatCount(failed)} devices`}</h3>
      <PagedTable
        label="Devices that it failed for"
        columns={['Device', 'Why']}
        pages={pages}
        row={({ device, code, reason }) => (
          <tr key={device} data-failure={device}>
            <td data-label="Device">
              <Link
                to="/devices/$deviceId"
                params={{ deviceId: device }}
                search={{ tab: 'shadow', ...(shadow !== '' && shadow !== '*' && { shadow }) }}
              >
                {device}
              </Link>
            </td>
            <td data-label="Why">
              <span>
                {reason}
                <small>{code}</small>
              </span>
            </td>
          </tr>
        )}
        empty={<p className={styles.quiet}>They are not kept any more.</p>}
      />
    </div>
  );
}

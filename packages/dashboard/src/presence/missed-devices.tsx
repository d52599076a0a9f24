import { useId, useState } from 'react';
import { fetchOpenAlerts, type PresenceAlert } from '../api/presence.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { Icon } from '../ui/icons.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages, type Pages } from '../ui/use-pages.ts';
import { MISSED_COLUMNS, MissedRow } from './missed-row.tsx';
import styles from './presence.module.css';

const REFETCH_MS = 10_000;
const NAMED = 3;

/** Devices that have been gone for too long, or come and go: a line that opens to the list. Nothing while all is well. */
export function MissedDevices() {
  const { client } = useServices();
  const [open, setOpen] = useState(false);
  const listId = useId();
  const pages = usePages({
    key: ['presence-alerts'],
    fetch: (cursor, signal) => fetchOpenAlerts(client, {}, cursor, signal),
    refetchEveryMs: REFETCH_MS,
  });
  if (pages.isPending || (pages.items.length === 0 && !pages.hasMore)) return null;
  return (
    <section className={styles.missed} aria-label="Devices that are missed" data-testid="missed">
      <button
        type="button"
        className={styles.opener}
        aria-expanded={open}
        aria-controls={open ? listId : undefined}
        onClick={() => setOpen(!open)}
      >
        <Icon name="alert" />
        <strong>{countWords(pages)}</strong>
        <span className={styles.names}>{!open && namesOf(pages.items)}</span>
        <span className={styles.word}>{open ? 'Hide' : 'Show'}</span>
      </button>
      {open && (
        <div id={listId} className={styles.list}>
          <PagedTable
            label="Devices that are missed"
            columns={MISSED_COLUMNS}
            pages={pages}
            row={(alert) => <MissedRow key={alert.id} alert={alert} />}
            empty={null}
          />
        </div>
      )}
    </section>
  );
}

function countWords({ items, hasMore }: Pages<PresenceAlert>): string {
  if (items.length === 1 && !hasMore) return '1 device is missed';
  return `${formatCount(items.length)}${hasMore ? ' and more' : ''} devices are missed`;
}

function namesOf(alerts: readonly PresenceAlert[]): string {
  const names = alerts.slice(0, NAMED).map(({ deviceId }) => deviceId);
  return alerts.length > NAMED ? `${names.join(', ')}…` : names.join(', ');
}

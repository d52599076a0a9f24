import { Button } from '@mantine/core';
import { useState } from 'react';
import { fetchErasures, type Erasure } from '../api/archive.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { DetailRow } from '../ui/detail-row.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { Section } from '../ui/section.tsx';
import { StateTimes } from '../ui/state-times.tsx';
import { usePages } from '../ui/use-pages.ts';
import { EraseDialog } from './erase-dialog.tsx';
import styles from './storage.module.css';

const COLUMNS = ['Device', 'State', 'Why', 'Begun'] as const;
const REFETCH_MS = 30_000;
const OPEN_REFETCH_MS = 2_000;
const STATES: Readonly<Record<string, string>> = {
  begun: 'begun',
  hidden: 'nobody can read it; bytes are being removed',
  done: 'done',
};

/** Telemetry of devices that was taken away everywhere. @param listed whether the caller may see them */
export function Erasures({ listed }: { readonly listed: boolean }) {
  const { may } = useWho();
  const [erasing, setErasing] = useState(false);
  const mayErase = may('storage:write');
  if (!listed && !mayErase) return null;
  return (
    <Section
      title="Erasures"
      note="All telemetry of a device, taken away everywhere: points, hours, days and the archive."
      actions={
        mayErase && (
          <Button variant="default" onClick={() => setErasing(true)}>
            Erase telemetry…
          </Button>
        )
      }
    >
      {listed && <ErasureList />}
      <EraseDialog opened={erasing} onClose={() => setErasing(false)} />
    </Section>
  );
}

function ErasureList() {
  const { client } = useServices();
  const pages = usePages({
    key: ['erasures'],
    fetch: (cursor, signal) => fetchErasures(client, cursor, signal),
    refetchEveryMs: (items) => (items.some(({ state }) => state !== 'done') ? OPEN_REFETCH_MS : REFETCH_MS),
  });
  return (
    <PagedTable
      label="Erasures"
      columns={COLUMNS}
      pages={pages}
      row={(erasure) => <ErasureRow key={erasure.id} erasure={erasure} />}
      empty={<EmptyNote title="Nothing was erased" />}
    />
  );
}

function ErasureRow({ erasure }: { readonly erasure: Erasure }) {
  const { id, device, state, isRemoval, requestedBy, begunAtMs, lastError } = erasure;
  return (
    <DetailRow
      about={{ 'data-erasure': device, 'data-state': state }}
      label="Device"
      title={device}
      columns={COLUMNS.length}
      details={() => <Proof erasure={erasure} />}
    >
      <td data-label="State">
        <span>
          <Badge tone={state === 'done' ? 'good' : 'warn'}>{STATES[state] ?? state}</Badge>
          {lastError !== undefined && <small className={`${styles.bad} ${styles.fault}`}>{lastError}</small>}
        </span>
      </td>
      <td data-label="Why">{isRemoval ? 'the device was removed' : 'requested'}</td>
      <td data-label="Begun">
        <span title={id}>
          {formatTime(begunAtMs)}
          <small>{requestedBy}</small>
        </span>
      </td>
    </DetailRow>
  );
}

function Proof({ erasure }: { readonly erasure: Erasure }) {
  const { id, begunAtMs, hiddenAtMs, storeErasedAtMs, doneAtMs, objectsChecked, objectsRewritten, archivedPointsErased } =
    erasure;
  const states = [
    { key: 'begun', label: 'begun', atMs: begunAtMs },
    { key: 'hidden', label: 'hidden', atMs: hiddenAtMs },
    { key: 'store', label: 'store erased', atMs: storeErasedAtMs },
    { key: 'done', label: 'done', atMs: doneAtMs },
  ].flatMap(({ atMs, ...state }) => (atMs === undefined ? [] : [{ ...state, atMs }]));
  return (
    <div className={styles.stack}>
      <StateTimes label="States" states={states} />
      <p className={styles.quiet}>
        {formatCount(objectsChecked)} archived objects could have held points of it, {formatCount(objectsRewritten)} did and were
        written anew without: {formatCount(archivedPointsErased)} points. Id <code>{id}</code>
      </p>
    </div>
  );
}

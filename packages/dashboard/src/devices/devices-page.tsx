import { Button, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchDevices, PAGE_SIZE } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { useWatch } from '../live/use-latest.ts';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { AddDeviceDialog } from './add-device-dialog.tsx';
import { DeviceRow } from './device-row.tsx';
import { DeviceRowSkeleton } from './device-row-skeleton.tsx';
import styles from './devices-page.module.css';
import { NoDevices } from './no-devices.tsx';
import { Pager } from './pager.tsx';
import { RemoveDeviceDialog } from './remove-device-dialog.tsx';

const route = getRouteApi('/');
const NO_CURSORS: readonly string[] = [];

/** All devices, a page at a time, with their last values. */
export function DevicesPage() {
  const { client } = useServices();
  const { q = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [cursors, setCursors] = useState(NO_CURSORS);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<string>();
  const [typed, setTyped] = useState(q);
  const cursor = cursors.at(-1);
  const search = useDebouncedCallback((text: string) => {
    setCursors(NO_CURSORS);
    void navigate({ search: text === '' ? {} : { q: text }, replace: true });
  }, 200);
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['devices', q, cursor],
    queryFn: ({ signal }) => fetchDevices(client, { q, cursor }, signal),
    placeholderData: keepPreviousData,
  });
  const items = data?.items ?? [];
  useWatch(items.map((device) => device.id));
  const isNew = data !== undefined && items.length === 0 && q === '' && cursor === undefined;

  return (
    <>
      <div className={styles.head}>
        <h1>Devices {data?.total !== undefined && <span className={styles.total}>{formatCount(data.total)}</span>}</h1>
        <TextInput
          className={styles.search}
          type="search"
          aria-label="Search by the beginning of the id"
          placeholder="Id begins with…"
          leftSection={<Icon name="search" />}
          value={typed}
          spellCheck={false}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            search(event.currentTarget.value.trim());
          }}
        />
        <Button leftSection={<Icon name="plus" />} onClick={() => setAdding(true)}>
          Add device
        </Button>
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {isNew && <NoDevices onAdd={() => setAdding(true)} />}
      {!isNew && (error === null || data !== undefined) && (
        <ul className={styles.list} aria-label="Devices" aria-busy={isPending}>
          {isPending && Array.from({ length: 8 }, (_, i) => <DeviceRowSkeleton key={i} />)}
          {items.map((device) => (
            <DeviceRow key={device.id} device={device} onRemove={setRemoving} />
          ))}
          {data !== undefined && items.length === 0 && <li className={styles.none}>No device id begins with “{q}”.</li>}
        </ul>
      )}
      <Pager
        first={cursors.length * PAGE_SIZE + 1}
        count={items.length}
        total={data?.total}
        onPrevious={cursors.length > 0 ? () => setCursors(cursors.slice(0, -1)) : undefined}
        onNext={data?.cursor === undefined ? undefined : () => setCursors([...cursors, data.cursor ?? ''])}
      />
      <AddDeviceDialog opened={adding} onClose={() => setAdding(false)} />
      <RemoveDeviceDialog device={removing} onClose={() => setRemoving(undefined)} />
    </>
  );
}

import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchDevices, PAGE_SIZE } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { useWatch } from '../live/use-latest.ts';
import { MissedDevices } from '../presence/missed-devices.tsx';
import { useWho } from '../session/who.ts';
import { Icon } from '../ui/icons.tsx';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { AddDeviceDialog } from './add-device-dialog.tsx';
import { DeviceCount } from './device-count.tsx';
import { deviceQuery } from './device-query.ts';
import { DeviceRow } from './device-row.tsx';
import { DeviceRowSkeleton } from './device-row-skeleton.tsx';
import { DeviceSearch } from './device-search.tsx';
import styles from './devices-page.module.css';
import { filterFault } from './filter-fault.ts';
import { GroupTree } from './group-tree.tsx';
import { NoDevices } from './no-devices.tsx';
import { Pager } from './pager.tsx';
import { RemoveDeviceDialog } from './remove-device-dialog.tsx';

const route = getRouteApi('/');
const NO_CURSORS: readonly string[] = [];
/** Whether a device is connected does not come with the live feed. */
const REFETCH_MS = 15_000;

/** The devices that whoever is signed in may see, a page at a time, with their last values. */
export function DevicesPage() {
  const { client } = useServices();
  const { may } = useWho();
  const { q = '', group } = route.useSearch();
  const navigate = route.useNavigate();
  const [cursors, setCursors] = useState(NO_CURSORS);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<string>();
  const cursor = cursors.at(-1);
  const query = deviceQuery(q, group);
  const mayRead = may('devices:read');
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['devices', 'list', query, cursor],
    queryFn: ({ signal }) => fetchDevices(client, { ...query, cursor }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: REFETCH_MS,
    enabled: mayRead,
  });
  const items = data?.items ?? [];
  useWatch(items.map((device) => device.id));
  if (!mayRead) return <NotAllowed permission="devices:read" />;

  const fault = error === null ? undefined : filterFault(error, query.filter ?? '');
  const show = (next: { readonly q?: string; readonly group?: string | undefined }) => {
    const { q: text, group: node } = { q, group, ...next };
    setCursors(NO_CURSORS);
    void navigate({ search: { ...(text !== '' && { q: text }), ...(node !== undefined && { group: node }) }, replace: true });
  };
  const isNew = data !== undefined && items.length === 0 && q === '' && group === undefined && cursor === undefined;
  const mayAdd = may('devices:write');
  return (
    <>
      <div className={styles.head}>
        <h1>Devices {fault === undefined && <DeviceCount query={query} />}</h1>
        {mayAdd && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setAdding(true)}>
            Add device
          </Button>
        )}
      </div>
      <MissedDevices />
      <div className={styles.columns} data-tree={may('groups:read')}>
        {may('groups:read') && <GroupTree selected={group} onSelect={(node) => show({ group: node })} />}
        <div>
          <DeviceSearch text={q} fault={fault} onSearch={(text) => show({ q: text })} />
          {error !== null && fault === undefined && <ProblemNotice error={error} onRetry={() => void refetch()} />}
          {isNew && <NoDevices onAdd={mayAdd ? () => setAdding(true) : undefined} />}
          {!isNew && (error === null || data !== undefined) && (
            <ul className={styles.list} aria-label="Devices" aria-busy={isPending} data-stale={fault !== undefined}>
              {isPending && Array.from({ length: 8 }, (_, i) => <DeviceRowSkeleton key={i} />)}
              {items.map((device) => (
                <DeviceRow
                  key={device.id}
                  device={device}
                  below={group}
                  onRemove={may('devices:delete', device.group) ? setRemoving : undefined}
                />
              ))}
              {data !== undefined && items.length === 0 && <li className={styles.none}>{noneText(query)}</li>}
            </ul>
          )}
          <Pager
            first={cursors.length * PAGE_SIZE + 1}
            count={items.length}
            onPrevious={cursors.length > 0 ? () => setCursors(cursors.slice(0, -1)) : undefined}
            onNext={data?.cursor === undefined ? undefined : () => setCursors([...cursors, data.cursor ?? ''])}
          />
        </div>
      </div>
      <AddDeviceDialog opened={adding} group={group} onClose={() => setAdding(false)} />
      <RemoveDeviceDialog device={removing} onClose={() => setRemoving(undefined)} />
    </>
  );
}

function noneText({ q, filter, group }: ReturnType<typeof deviceQuery>): string {
  const where = group === undefined ? '' : ` in ${group}`;
  if (q !== undefined) return `No device id${where} begins with “${q}”.`;
  return filter === undefined ? `There is no device${where}.` : `No device${where} matches.`;
}

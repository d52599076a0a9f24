import { Button, Checkbox, NativeSelect } from '@mantine/core';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Device } from '../api/devices.ts';
import { toProblem } from '../api/problem.ts';
import { fetchShadow, fetchShadowOrigin, fetchShadows } from '../api/shadows.ts';
import { useServices } from '../app/services.ts';
import { useStateFeed } from '../live/use-state-feed.ts';
import { useWho } from '../session/who.ts';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { When } from '../ui/when.tsx';
import { EditFieldDialog } from './edit-field-dialog.tsx';
import { EditJsonDialog } from './edit-json-dialog.tsx';
import { NewShadowDialog } from './new-shadow-dialog.tsx';
import { RemoveShadowDialog } from './remove-shadow-dialog.tsx';
import { ShadowFaults } from './shadow-faults.tsx';
import { ShadowHistory } from './shadow-history.tsx';
import { ShadowTable } from './shadow-table.tsx';
import { shadowTitle } from './shadow-words.ts';
import styles from './shadow.module.css';
import { shadowRows, type ShadowRow } from './shadow-rows.ts';

const route = getRouteApi('/devices/$deviceId');
const NONE = 'shadow.not-found';

type Dialog = 'field' | 'json' | 'new' | 'remove';

/** What a device is to be, and what it says it is: its shadows, one at a time, as they change. */
export function ShadowTab({ device }: { readonly device: Device }) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const { shadow: shadowName = '' } = route.useSearch();
  const navigate = route.useNavigate();
  const [dialog, setDialog] = useState<Dialog>();
  const [row, setRow] = useState<ShadowRow>();
  const [onlyDifferent, setOnlyDifferent] = useState(false);
  const name = useMemo(() => ({ device: device.id, name: shadowName }), [device.id, shadowName]);
  const shadow = useQuery({
    queryKey: ['shadow', device.id, 'document', shadowName],
    queryFn: ({ signal }) => fetchShadow(client, name, signal),
  });
  const isNone = shadow.error !== null && toProblem(shadow.error).code === NONE;
  const data = isNone ? undefined : shadow.data;
  const list = useQuery({
    queryKey: ['shadow', device.id, 'list'],
    queryFn: ({ signal }) => fetchShadows(client, device.id, undefined, signal),
  });
  const origin = useQuery({
    // Asked again when it can say something else, not each time that the device reports.
    queryKey: ['shadow-origin', device.id, shadowName, JSON.stringify([data?.inherited, data?.desired])],
    queryFn: ({ signal }) => fetchShadowOrigin(client, name, signal),
    placeholderData: keepPreviousData,
    enabled: data !== undefined,
  });
  useStateFeed('shadows', device.id, () => void queries.invalidateQueries({ queryKey: ['shadow', device.id] }));

  const layers = origin.data?.layers;
  const rows = useMemo(() => (data === undefined ? [] : shadowRows(data, layers ?? [])), [data, layers]);
  const different = rows.filter(({ differs }) => differs).length;
  const mayWrite = may('shadows:write', device.group);
  // Who edits must have seen what is there.
  const isUnknown = data === undefined && !isNone;
  const edit = (edited: ShadowRow | undefined) => {
    setRow(edited);
    setDialog('field');
  };
  const show = (next: string) => void navigate({ search: { tab: 'shadow', ...(next !== '' && { shadow: next }) } });
  const names = [...new Set(['', ...(list.data?.items.map((item) => item.name) ?? []), shadowName])];
  const close = () => setDialog(undefined);
  return (
    <section className={styles.tab} aria-label="Shadow">
      <div className={styles.head}>
        <NativeSelect
          className={styles.choice}
          aria-label="Which shadow"
          data={names.map((value) => ({ value, label: shadowTitle(value) }))}
          value={shadowName}
          onChange={(event) => show(event.currentTarget.value)}
        />
        <div className={styles.state} role="status" data-testid="shadow-state">
          {data !== undefined && (
            <>
              <span>version {data.version}</span>
              <span>
                changed <When timeMs={data.updatedAtMs} />
              </span>
              <span>{differenceWords(different)}</span>
            </>
          )}
        </div>
        <div className={styles.buttons}>
          {mayWrite && (
            <>
              <Button size="xs" leftSection={<Icon name="plus" size={13} />} disabled={isUnknown} onClick={() => edit(undefined)}>
                Set a field
              </Button>
              <Button size="xs" variant="default" disabled={isUnknown} onClick={() => setDialog('json')}>
                Edit as JSON
              </Button>
              <Button size="xs" variant="default" onClick={() => setDialog('new')}>
                Another shadow…
              </Button>
              {data !== undefined && (
                <Button size="xs" variant="default" onClick={() => setDialog('remove')}>
                  Remove…
                </Button>
              )}
            </>
          )}
        </div>
      </div>
      {origin.data !== undefined && data !== undefined && <ShadowFaults origin={origin.data} />}
      {shadow.error !== null && !isNone && <ProblemNotice error={shadow.error} onRetry={() => void shadow.refetch()} />}
      {shadow.isPending && <p className={styles.none}>Loading…</p>}
      {isNone && <NoShadow device={device.id} name={shadowName} mayWrite={mayWrite} />}
      {data !== undefined && rows.length === 0 && (
        <EmptyNote title="This shadow is empty">Nothing is desired of the device, and it has reported nothing.</EmptyNote>
      )}
      {rows.length > 0 && (
        <>
          {different > 0 && different < rows.length && (
            <Checkbox
              size="xs"
              label="Only what differs"
              checked={onlyDifferent}
              onChange={(event) => setOnlyDifferent(event.currentTarget.checked)}
            />
          )}
          <ShadowTable
            key={shadowName}
            rows={onlyDifferent && different > 0 ? rows.filter(({ differs }) => differs) : rows}
            onEdit={mayWrite ? edit : undefined}
          />
        </>
      )}
      {!shadow.isPending && <ShadowHistory name={name} />}
      <EditFieldDialog opened={dialog === 'field'} name={name} shadow={data} row={row} onClose={close} />
      <EditJsonDialog opened={dialog === 'json'} name={name} shadow={data} onClose={close} />
      <NewShadowDialog
        opened={dialog === 'new'}
        onClose={close}
        onNamed={(named) => {
          close();
          show(named);
        }}
      />
      <RemoveShadowDialog opened={dialog === 'remove'} name={name} shadow={data} onClose={close} />
    </section>
  );
}

function differenceWords(count: number): string {
  if (count === 0) return 'the device is as desired';
  return count === 1 ? '1 field differs' : `${count} fields differ`;
}

function NoShadow({ device, name, mayWrite }: { readonly device: string; readonly name: string; readonly mayWrite: boolean }) {
  const address = name === '' ? device : `${device} --shadow ${name}`;
  return (
    <EmptyNote
      title={name === '' ? 'No shadow yet' : `There is no shadow ${name} yet`}
      command={mayWrite ? { title: 'The same from a shell', command: `npx selsyn shadow set ${address} mode=eco` } : undefined}
    >
      A shadow holds what a device is to be and what it says it is. It is made when something is asked of the device, or when the
      device first reports.
    </EmptyNote>
  );
}

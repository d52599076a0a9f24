import { ActionIcon, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchDevice } from '../api/devices.ts';
import { Problem } from '../api/problem.ts';
import { fetchLatest, type LatestValue } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { DeviceCommandsList } from '../devices/device-commands-list.tsx';
import { RemoveDeviceDialog } from '../devices/remove-device-dialog.tsx';
import { useLatest, useWatch } from '../live/use-latest.ts';
import { Age } from '../ui/age.tsx';
import { Icon } from '../ui/icons.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Charts } from './charts.tsx';
import styles from './device-page.module.css';
import { DevicePageSkeleton } from './device-page-skeleton.tsx';
import { ExportCsv } from './export-csv.tsx';
import { MetricTiles } from './metric-tiles.tsx';
import { RangePicker } from './range-picker.tsx';
import { DEFAULT_RANGE, rangeFromSearch, searchFromRange, type TimeRange } from './time-range.ts';

const route = getRouteApi('/devices/$deviceId');
const NO_VALUES: readonly LatestValue[] = [];
const CHARTS_AT_FIRST = 6;

/** One device: its latest values, and a chart of each metric over a range of time. */
export function DevicePage() {
  const { client } = useServices();
  const { deviceId } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [removing, setRemoving] = useState(false);
  useWatch([deviceId]);
  const device = useQuery({ queryKey: ['device', deviceId], queryFn: ({ signal }) => fetchDevice(client, deviceId, signal) });
  const latest = useQuery({ queryKey: ['latest', deviceId], queryFn: ({ signal }) => fetchLatest(client, deviceId, signal) });
  const values = useLatest(deviceId, latest.data ?? NO_VALUES, true);
  const range = rangeFromSearch(search);
  const charted = new Set(search.metrics ?? values.slice(0, CHARTS_AT_FIRST).map((value) => value.metric));
  const shown = values.filter((value) => charted.has(value.metric));
  const newestMs = values.length === 0 ? undefined : Math.max(...values.map((value) => value.timeMs));

  const setRange = (next: TimeRange) =>
    void navigate({ search: { ...searchFromRange(next), ...(search.metrics === undefined ? {} : { metrics: search.metrics }) } });
  const toggle = (metric: string) => {
    const metrics = values
      .map((value) => value.metric)
      .filter((name) => (name === metric ? !charted.has(name) : charted.has(name)));
    void navigate({ search: { ...searchFromRange(range), metrics }, replace: true });
  };
  const failed = device.error ?? latest.error;
  const unknown = failed instanceof Problem && failed.code === 'device.not-found';

  return (
    <>
      <div className={styles.head}>
        <Link to="/" className={styles.back} aria-label="All devices">
          <Icon name="back" />
        </Link>
        <div className={styles.title}>
          <h1 title={deviceId}>{deviceId}</h1>
          {device.data?.name !== undefined && <span>{device.data.name}</span>}
        </div>
        <span className={styles.age}>{latest.data !== undefined && <Age timeMs={newestMs} dot />}</span>
        {!unknown && (
          <>
            <ExportCsv device={deviceId} metrics={shown.map((value) => value.metric)} range={range} />
            <Tooltip label="Remove this device">
              <ActionIcon variant="default" size={36} aria-label={`Remove ${deviceId}`} onClick={() => setRemoving(true)}>
                <Icon name="trash" />
              </ActionIcon>
            </Tooltip>
          </>
        )}
      </div>
      {failed !== null && (
        <ProblemNotice
          error={failed}
          onRetry={() => {
            void device.refetch();
            void latest.refetch();
          }}
        />
      )}
      {failed === null && latest.isPending && <DevicePageSkeleton />}
      {failed === null && latest.isSuccess && values.length === 0 && (
        <section className={styles.empty} data-testid="no-telemetry">
          <h2>No telemetry yet</h2>
          <p>The page shows the first value the moment it arrives. Put the device’s token in the place of TOKEN.</p>
          <DeviceCommandsList id={deviceId} />
        </section>
      )}
      {values.length > 0 && (
        <div className={styles.body}>
          <MetricTiles device={deviceId} values={values} range={range} charted={charted} onToggle={toggle} />
          <RangePicker range={range} onChange={setRange} />
          <Charts
            device={deviceId}
            values={values}
            shown={shown}
            range={range}
            onRange={setRange}
            onReset={() => setRange(DEFAULT_RANGE)}
          />
        </div>
      )}
      <RemoveDeviceDialog
        device={removing ? deviceId : undefined}
        onClose={() => setRemoving(false)}
        onRemoved={() => void navigate({ to: '/' })}
      />
    </>
  );
}

import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { fetchLatest, type LatestValue } from '../api/telemetry.ts';
import { useServices } from '../app/services.ts';
import { DeviceCommandsList } from '../devices/device-commands-list.tsx';
import { useLatest, useWatch } from '../live/use-latest.ts';
import { Age } from '../ui/age.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Charts } from './charts.tsx';
import styles from './device-page.module.css';
import { DevicePageSkeleton } from './device-page-skeleton.tsx';
import { DeviceQuality } from './device-quality.tsx';
import { ExportCsv } from './export-csv.tsx';
import { useMetricSchemas } from './metric-schema.ts';
import { MetricTiles } from './metric-tiles.tsx';
import { RangePicker } from './range-picker.tsx';
import { DEFAULT_RANGE, rangeFromSearch, searchFromRange, type TimeRange } from './time-range.ts';
import { useKnownRange } from './use-known-range.ts';

const route = getRouteApi('/devices/$deviceId');
const NO_VALUES: readonly LatestValue[] = [];
const CHARTS_AT_FIRST = 6;

/** The latest values of a device, and a chart of each metric over a range of time. */
export function TelemetrySection({ deviceId, type }: { readonly deviceId: string; readonly type: string | undefined }) {
  const { client } = useServices();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  useWatch([deviceId]);
  const latest = useQuery({ queryKey: ['latest', deviceId], queryFn: ({ signal }) => fetchLatest(client, deviceId, signal) });
  const values = useLatest(deviceId, latest.data ?? NO_VALUES, true);
  const schemas = useMetricSchemas(type);
  const range = useKnownRange(deviceId, rangeFromSearch(search));
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
  if (latest.error !== null) return <ProblemNotice error={latest.error} onRetry={() => void latest.refetch()} />;
  if (latest.isPending) return <DevicePageSkeleton />;
  if (values.length === 0) {
    return (
      <section className={styles.empty} data-testid="no-telemetry">
        <h2>No telemetry yet</h2>
        <p>The page shows the first value the moment it arrives. Put the device’s token in the place of TOKEN.</p>
        <DeviceCommandsList id={deviceId} />
      </section>
    );
  }
  return (
    <section className={styles.body} aria-label="Telemetry">
      <div className={styles.telemetryHead}>
        <h2>Telemetry</h2>
        <span className={styles.age}>
          <Age timeMs={newestMs} dot />
        </span>
        <ExportCsv device={deviceId} metrics={shown.map((value) => value.metric)} range={range} />
      </div>
      <MetricTiles device={deviceId} values={values} schemas={schemas} range={range} charted={charted} onToggle={toggle} />
      <RangePicker range={range} onChange={setRange} />
      <Charts
        device={deviceId}
        values={values}
        shown={shown}
        schemas={schemas}
        range={range}
        onRange={setRange}
        onReset={() => setRange(DEFAULT_RANGE)}
      />
      <DeviceQuality device={deviceId} schemas={schemas} />
    </section>
  );
}

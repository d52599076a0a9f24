import { useQuery } from '@tanstack/react-query';
import { fetchCardinality, type Cardinality } from '../api/cardinality.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { Fact, Facts } from '../ui/facts.tsx';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { Section } from '../ui/section.tsx';
import { UseBar } from '../ui/use-bar.tsx';
import { When } from '../ui/when.tsx';
import { DeviceSeriesTable } from './device-series-table.tsx';
import styles from './cardinality.module.css';
import { stateTone, stateWords } from './series-words.ts';
import { Suspects } from './suspects.tsx';

const REFETCH_MS = 30_000;
const SHOWN_METRICS = 10;

/** How many series there are, what makes them, and how near the limits are. */
export function CardinalityPage() {
  const { client } = useServices();
  const { mayEverywhere } = useWho();
  const allowed = mayEverywhere('telemetry:read');
  const { data, error, refetch } = useQuery({
    queryKey: ['cardinality'],
    queryFn: ({ signal }) => fetchCardinality(client, signal),
    refetchInterval: REFETCH_MS,
    enabled: allowed,
  });
  if (!allowed) return <NotAllowed permission="telemetry:read" at="/" />;
  if (error !== null) return <ProblemNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined) return <p className={styles.quiet}>Counting…</p>;
  return (
    <>
      <Whole report={data} />
      {data.suspects.length > 0 && <Suspects suspects={data.suspects} />}
      <Refusals report={data} />
      {data.types.length > 0 && <Types report={data} />}
      {data.topDevices.length > 0 && (
        <div className={styles.pair}>
          <DeviceSeriesTable title="Devices with the most" devices={data.topDevices} />
          <TopMetrics report={data} />
        </div>
      )}
      {data.growingDevices.length > 0 && <DeviceSeriesTable title="Devices that grow" devices={data.growingDevices} />}
      {data.series === 0 && (
        <EmptyNote title="No series yet">A series is one metric of one device. They are counted here as they come.</EmptyNote>
      )}
    </>
  );
}

function Whole({ report }: { readonly report: Cardinality }) {
  const { series, limit, state, devices, newInHour, newInDay, watchedSinceMs, fullAtMs, fullDevices } = report;
  return (
    <div className={styles.whole} data-testid="series-use" data-state={state}>
      <div className={styles.bar}>
        <strong>Series</strong> <Badge tone={stateTone(state)}>{stateWords(state)}</Badge>
        <UseBar label="Series" used={series} limit={limit} tone={stateTone(state)} />
      </div>
      <Facts>
        <Fact name="Devices with series">{formatCount(devices)}</Fact>
        <Fact name="New in the last hour">{formatCount(newInHour)}</Fact>
        <Fact name="New in the last day">{formatCount(newInDay)}</Fact>
        <Fact name="Watched since">
          <When timeMs={watchedSinceMs} />
        </Fact>
        {fullAtMs !== undefined && <Fact name="Full at this rate">{formatTime(fullAtMs).slice(0, 10)}</Fact>}
        {fullDevices.length > 0 && (
          <Fact name="Devices near their limit">
            {fullDevices
              .slice(0, 5)
              .map(({ device }) => device)
              .join(', ')}
            {fullDevices.length > 5 && ` and ${fullDevices.length - 5} more`}
          </Fact>
        )}
      </Facts>
    </div>
  );
}

function Refusals({ report: { refused, refusedDevices } }: { readonly report: Cardinality }) {
  const total = refused.device + refused.type + refused.whole;
  if (total === 0) return null;
  return (
    <Section
      title="Refused"
      note={`${formatCount(total)} messages with new metrics since the start: ${formatCount(refused.device)} by the limit of a device, ${formatCount(refused.type)} by that of a type, ${formatCount(refused.whole)} by that of all. Series that were there go on.`}
    >
      <DataTable label="Refused devices" columns={['Device', 'Limit reached', 'Messages', 'Last']}>
        {refusedDevices.map(({ device, scope, messages, lastMs }) => (
          <tr key={device} data-refused={device}>
            <td data-label="Device">{device}</td>
            <td data-label="Limit of">{scope === 'whole' ? 'of all' : scope === 'type' ? 'of its type' : 'of the device'}</td>
            <td data-label="Messages">{formatCount(messages)}</td>
            <td data-label="Last">
              <When timeMs={lastMs} />
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function Types({ report }: { readonly report: Cardinality }) {
  return (
    <Section title="Device types" note="A type may have a limit of its own: npx selsyn type update NAME --help.">
      <DataTable label="Series of types" columns={['Type', 'Series', 'A device may have', 'State']}>
        {report.types.map(({ type, series, limit, seriesPerDevice, state }) => (
          <tr key={type} data-type={type}>
            <td data-label="Type">{type === '' ? 'without a type' : type}</td>
            <td data-label="Series">
              <UseBar label={`Series of ${type}`} used={series} limit={limit} tone={stateTone(state)} />
            </td>
            <td data-label="A device">{seriesPerDevice === undefined ? 'any number' : formatCount(seriesPerDevice)}</td>
            <td data-label="State">
              <Badge tone={stateTone(state)}>{stateWords(state)}</Badge>
            </td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

function TopMetrics({ report: { topMetrics } }: { readonly report: Cardinality }) {
  return (
    <Section title="Metrics that the most devices have">
      <DataTable label="Metrics with the most series" isShort columns={['Metric', 'Devices', 'New in a day']}>
        {topMetrics.slice(0, SHOWN_METRICS).map(({ metric, series, newInDay }) => (
          <tr key={metric} data-metric={metric}>
            <td data-label="Metric">{metric}</td>
            <td data-label="Devices">{formatCount(series)}</td>
            <td data-label="New in a day">{formatCount(newInDay)}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

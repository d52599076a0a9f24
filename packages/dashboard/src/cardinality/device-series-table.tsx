import { Link } from '@tanstack/react-router';
import type { DeviceSeries } from '../api/cardinality.ts';
import { formatCount } from '../format/number-format.ts';
import { DataTable } from '../ui/data-table.tsx';
import { Section } from '../ui/section.tsx';
import { UseBar } from '../ui/use-bar.tsx';
import { toneOfUse } from './series-words.ts';

interface DeviceSeriesTableProps {
  readonly title: string;
  readonly devices: readonly DeviceSeries[];
}

/** Devices with how many series they have, and how many are new. */
export function DeviceSeriesTable({ title, devices }: DeviceSeriesTableProps) {
  return (
    <Section title={title}>
      <DataTable label={title} columns={['Device', 'Series', 'New in an hour', 'New in a day']}>
        {devices.map(({ device, type, series, limit, newInHour, newInDay }) => (
          <tr key={device} data-device={device}>
            <td data-label="Device">
              <span>
                <Link to="/devices/$deviceId" params={{ deviceId: device }}>
                  {device}
                </Link>
                {type !== undefined && <small>{type}</small>}
              </span>
            </td>
            <td data-label="Series">
              <UseBar label={`Series of ${device}`} used={series} limit={limit} tone={toneOfUse(series, limit)} />
            </td>
            <td data-label="New in 1 h">{formatCount(newInHour)}</td>
            <td data-label="New in 1 d">{formatCount(newInDay)}</td>
          </tr>
        ))}
      </DataTable>
    </Section>
  );
}

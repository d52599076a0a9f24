import type { Storage } from '../api/storage.ts';
import { formatTime } from '../format/age.ts';
import { formatBytes } from '../format/number-format.ts';
import { DataTable } from '../ui/data-table.tsx';
import { archiveText, daysText } from './storage-words.ts';
import styles from './storage.module.css';

interface ForecastProps {
  readonly forecast: Storage['forecast'];
  readonly floorBytes: number;
}

/** Where it leads at the rate of the last day, by the policies as they are. */
export function Forecast({ forecast, floorBytes }: ForecastProps) {
  const { bytesPerDay, rateOf, archive, points, floorAtMs, steadyBytes } = forecast;
  const rate = bytesPerDay.raw + bytesPerDay.hourly + bytesPerDay.daily;
  if (rate === 0) {
    return <p className={styles.quiet}>A forecast is made once there is telemetry of some hours to take a rate from.</p>;
  }
  const columns = ['In', 'Telemetry takes', ...(archive === undefined ? [] : ['Archive has']), 'Free then'];
  return (
    <div className={styles.stack} data-testid="forecast">
      <DataTable label="Forecast" isShort columns={columns}>
        {points.map(({ inDays, bytes, archiveBytes, freeBytes }) => (
          <tr key={inDays} data-in-days={inDays}>
            <td data-label="In">{daysText(inDays)}</td>
            <td data-label="Takes">{formatBytes(bytes)}</td>
            {archive !== undefined && <td data-label="Archive has">{formatBytes(archiveBytes)}</td>}
            <td data-label="Free then" className={freeBytes < floorBytes ? styles.bad : undefined}>
              {freeBytes < 0 ? `${formatBytes(-freeBytes)} too few` : formatBytes(freeBytes)}
            </td>
          </tr>
        ))}
      </DataTable>
      <p className={styles.quiet}>
        {formatBytes(rate)} come every day{rateOf !== undefined && ` (as on ${rateOf})`}.{' '}
        {archive !== undefined && `${archiveText(archive)} `}
        {steadyBytes !== undefined && `It comes to ${formatBytes(steadyBytes)} in the end. `}
        {floorAtMs === undefined
          ? 'The floor of free space is not reached within ten years.'
          : `The floor of free space is reached on ${formatTime(floorAtMs).slice(0, 10)}.`}
      </p>
    </div>
  );
}

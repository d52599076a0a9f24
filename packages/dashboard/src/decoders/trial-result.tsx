import type { Trial } from '../api/decoders.ts';
import { formatTime } from '../format/age.ts';
import { formatCount, formatValue } from '../format/number-format.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import styles from './decoders.module.css';

const SHOWN = 100;

/** The points of a message, or why there are none. */
export function TrialResult({ trial: { points, count, unitsKept, error } }: { readonly trial: Trial }) {
  if (error !== undefined) {
    return (
      <div className={styles.refused} data-testid="trial" data-ok="false">
        <strong>It would be a dead letter</strong>
        <p>{error.reason}</p>
        <code>{error.code}</code>
      </div>
    );
  }
  return (
    <div className={styles.trial} data-testid="trial" data-ok="true">
      <p className={styles.quiet}>
        {count === 1 ? 'One point' : `${formatCount(count)} points`}
        {count > SHOWN && `, the first ${SHOWN} of them`}
      </p>
      <DataTable label="Points" isShort columns={['Metric', 'Value', 'Time']}>
        {points.slice(0, SHOWN).map(({ metric, value, unit, timeMs, isOutOfRange }, at) => (
          <tr key={`${at} ${metric}`} data-point={metric}>
            <td data-label="Metric">{metric}</td>
            <td data-label="Value">
              <span>
                {formatValue(value)} {unit}
                {isOutOfRange && (
                  <>
                    {' '}
                    <Badge tone="warn">out of range</Badge>
                  </>
                )}
              </span>
            </td>
            <td data-label="Time">{timeMs === undefined ? 'of its arrival' : formatTime(timeMs, true)}</td>
          </tr>
        ))}
      </DataTable>
      {unitsKept.length > 0 && (
        <p className={styles.quiet}>
          Kept as they come, because there is no way to the unit of the type:{' '}
          {unitsKept.map(({ metric, unit }) => `${metric} in ${unit}`).join(', ')}.
        </p>
      )}
    </div>
  );
}

import { ActionIcon } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { memo, useMemo, useRef } from 'react';
import type { Device } from '../api/devices.ts';
import type { LatestValue } from '../api/telemetry.ts';
import { formatValue } from '../format/number-format.ts';
import { useLatest } from '../live/use-latest.ts';
import { Age } from '../ui/age.tsx';
import { ConnectedDot } from '../ui/connected-dot.tsx';
import { Icon } from '../ui/icons.tsx';
import { useOnScreen } from '../ui/use-on-screen.ts';
import styles from './device-row.module.css';

const SHOWN = 4;

interface DeviceRowProps {
  readonly device: Device;
  /** The group that is looked at: what is below it need not be said in full. */
  readonly below: string | undefined;
  /** Absent: it may not be removed. */
  readonly onRemove: ((id: string) => void) | undefined;
}

/** One device with its last values. It follows the live feed only while it is in view. */
export const DeviceRow = memo(function DeviceRow({ device, below, onRemove }: DeviceRowProps) {
  const ref = useRef<HTMLLIElement>(null);
  const values = useLatest(device.id, device.latest, useOnScreen(ref));
  const newestMs = values.length === 0 ? undefined : values.reduce((newest, value) => Math.max(newest, value.timeMs), -Infinity);
  const shown = useMemo(() => numbersFirst(values).slice(0, SHOWN), [values]);
  const hidden = values.length - SHOWN;
  return (
    <li ref={ref} className={styles.row} data-device={device.id}>
      <div className={styles.who}>
        <span className={styles.line}>
          <ConnectedDot connectivity={device.connectivity} />
          <Link to="/devices/$deviceId" params={{ deviceId: device.id }} className={styles.id} title={device.id}>
            {device.id}
          </Link>
        </span>
        <span className={styles.sub}>
          {device.name !== undefined && <span className={styles.name}>{device.name}</span>}
          {device.type !== undefined && <span className={styles.type}>{device.type}</span>}
          {device.group !== (below ?? '/') && (
            <span className={styles.group} title={device.group}>
              {groupBelow(device.group, below)}
            </span>
          )}
          {device.tags.map((tag) => (
            <span key={tag} className={styles.tag}>
              {tag}
            </span>
          ))}
        </span>
      </div>
      <dl className={styles.values}>
        {shown.map((value) => (
          <Cell key={value.metric} value={value} />
        ))}
      </dl>
      <span className={styles.more}>{hidden > 0 && `+${hidden}`}</span>
      <span className={styles.age}>
        <Age timeMs={newestMs} />
      </span>
      {onRemove !== undefined && (
        <ActionIcon
          className={styles.remove}
          variant="subtle"
          color="petrol"
          aria-label={`Remove ${device.id}`}
          onClick={() => onRemove(device.id)}
        >
          <Icon name="trash" />
        </ActionIcon>
      )}
    </li>
  );
});

/** `hall-1` for `/acme/hamburg/hall-1` where one looks at `/acme/hamburg`. */
function groupBelow(group: string, below: string | undefined): string {
  return below !== undefined && group.startsWith(`${below}/`) ? group.slice(below.length + 1) : group;
}

/** A row has room for four: numbers say more than states. */
function numbersFirst(values: readonly LatestValue[]): readonly LatestValue[] {
  const isNumber = ({ value }: LatestValue) => typeof value === 'number';
  return [...values.filter(isNumber), ...values.filter((value) => !isNumber(value))];
}

const Cell = memo(function Cell({ value }: { readonly value: LatestValue }) {
  return (
    <div className={styles.cell} data-metric={value.metric}>
      <dt title={value.metric}>{value.metric}</dt>
      <dd data-kind={typeof value.value} title={String(value.value)}>
        {formatValue(value.value)}
      </dd>
    </div>
  );
});

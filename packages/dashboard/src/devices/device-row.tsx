import { ActionIcon } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { memo, useMemo, useRef } from 'react';
import type { Device } from '../api/devices.ts';
import type { LatestValue } from '../api/telemetry.ts';
import { formatValue } from '../format/number-format.ts';
import { useLatest } from '../live/use-latest.ts';
import { Age } from '../ui/age.tsx';
import { Icon } from '../ui/icons.tsx';
import { useOnScreen } from '../ui/use-on-screen.ts';
import styles from './device-row.module.css';

const SHOWN = 4;

interface DeviceRowProps {
  readonly device: Device;
  readonly onRemove: (id: string) => void;
}

/** One device with its last values. It follows the live feed only while it is in view. */
export const DeviceRow = memo(function DeviceRow({ device, onRemove }: DeviceRowProps) {
  const ref = useRef<HTMLLIElement>(null);
  const values = useLatest(device.id, device.latest, useOnScreen(ref));
  const newestMs = values.length === 0 ? undefined : values.reduce((newest, value) => Math.max(newest, value.timeMs), -Infinity);
  const shown = useMemo(() => numbersFirst(values).slice(0, SHOWN), [values]);
  const hidden = values.length - SHOWN;
  return (
    <li ref={ref} className={styles.row} data-device={device.id}>
      <div className={styles.who}>
        <Link to="/devices/$deviceId" params={{ deviceId: device.id }} className={styles.id} title={device.id}>
          {device.id}
        </Link>
        <span className={styles.sub}>
          {device.name !== undefined && <span className={styles.name}>{device.name}</span>}
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
        <Age timeMs={newestMs} dot />
      </span>
      <ActionIcon
        className={styles.remove}
        variant="subtle"
        color="petrol"
        aria-label={`Remove ${device.id}`}
        onClick={() => onRemove(device.id)}
      >
        <Icon name="trash" />
      </ActionIcon>
    </li>
  );
});

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

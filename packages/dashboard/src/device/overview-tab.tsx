import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';
import type { Device } from '../api/devices.ts';
import { formatTime } from '../format/age.ts';
import { DeviceMissed } from '../presence/device-missed.tsx';
import { goneWords } from '../presence/gone-words.ts';
import { useWho } from '../session/who.ts';
import { Badge } from '../ui/badge.tsx';
import { Icon } from '../ui/icons.tsx';
import { When } from '../ui/when.tsx';
import { AttributeList } from './attribute-list.tsx';
import styles from './overview-tab.module.css';
import { EditDeviceDialog } from './edit-device-dialog.tsx';
import { TelemetrySection } from './telemetry-section.tsx';

/** What a device is, and what it sends. */
export function OverviewTab({ device }: { readonly device: Device }) {
  const { may } = useWho();
  const [editing, setEditing] = useState(false);
  const { connectivity } = device;
  return (
    <div className={styles.overview}>
      <DeviceMissed device={device.id} />
      <section className={styles.panel} aria-label="About">
        <dl className={styles.facts}>
          <Fact name="Type">{device.type ?? '–'}</Fact>
          <Fact name="Group">
            <Link to="/" search={{ group: device.group }}>
              {device.group}
            </Link>
          </Fact>
          <Fact name={connectivity?.connected === true ? 'Connected since' : 'Last seen'}>
            {connectivity === undefined ? 'never' : <When timeMs={connectivity.lastSeenMs} />}
          </Fact>
          {connectivity?.connected === false && <Fact name="Why it is gone">{goneWords(connectivity.goneReason)}</Fact>}
          <Fact name="Registered">{formatTime(device.createdAtMs)}</Fact>
          <Fact name="Tags">
            {device.tags.length === 0
              ? '–'
              : device.tags.map((tag) => (
                  <Badge key={tag} tone="plain">
                    {tag}
                  </Badge>
                ))}
          </Fact>
        </dl>
        <AttributeList attributes={device.attributes} />
        {may('devices:write', device.group) && (
          <Button
            className={styles.edit}
            variant="default"
            size="xs"
            leftSection={<Icon name="edit" size={14} />}
            onClick={() => setEditing(true)}
          >
            Edit
          </Button>
        )}
      </section>
      {may('telemetry:read', device.group) && <TelemetrySection deviceId={device.id} type={device.type} />}
      <EditDeviceDialog device={device} opened={editing} onClose={() => setEditing(false)} />
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

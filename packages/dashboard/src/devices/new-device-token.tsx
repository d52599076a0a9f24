import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { NewDevice } from '../api/devices.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import styles from './add-device-dialog.module.css';
import { DeviceCommandsList } from './device-commands-list.tsx';

/** The token of a device that was just added, and what to do with it. */
export function NewDeviceToken({ device, onClose }: { readonly device: NewDevice; readonly onClose: () => void }) {
  return (
    <div className={styles.token}>
      <p>
        The token of <strong>{device.id}</strong>. Only its hash is kept: it is not shown again.
      </p>
      <div className={styles.value}>
        <code data-testid="device-token">{device.token}</code>
        <CopyButton text={device.token} label="Copy the token" />
      </div>
      <DeviceCommandsList id={device.id} token={device.token} />
      <div className={styles.actions}>
        <Button variant="default" component={Link} to={`/devices/${encodeURIComponent(device.id)}`}>
          Open its page
        </Button>
        <Button onClick={onClose}>Done</Button>
      </div>
    </div>
  );
}

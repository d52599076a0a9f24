import { Button, Modal } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { removeDevice } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import styles from './add-device-dialog.module.css';

interface RemoveDeviceDialogProps {
  /** Absent: closed. */
  readonly device: string | undefined;
  readonly onClose: () => void;
  readonly onRemoved?: () => void;
}

export function RemoveDeviceDialog({ device, onClose, onRemoved }: RemoveDeviceDialogProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: removeDevice.bind(null, client),
    onSuccess: () => {
      onClose();
      onRemoved?.();
      void queries.invalidateQueries({ queryKey: ['devices'] });
    },
  });
  return (
    <Modal
      opened={device !== undefined}
      onClose={onClose}
      title="Remove this device?"
      onExitTransitionEnd={remove.reset}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className={styles.form}>
        <p>
          <strong>{device}</strong> is disconnected, its token stops working, its certificates are revoked, and all of its
          telemetry is erased. There is no way back.
        </p>
        {remove.error !== null && <ProblemNotice error={remove.error} />}
        <div className={styles.actions}>
          <Button variant="default" data-autofocus onClick={onClose}>
            Keep it
          </Button>
          <Button color="brick" loading={remove.isPending} onClick={() => device !== undefined && remove.mutate(device)}>
            Remove for good
          </Button>
        </div>
      </div>
    </Modal>
  );
}

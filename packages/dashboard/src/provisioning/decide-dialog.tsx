import { useMutation, useQueryClient } from '@tanstack/react-query';
import { decideQuarantined, type Decision, type Quarantined } from '../api/enrolment.ts';
import { useServices } from '../app/services.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';

interface DecideDialogProps {
  /** Absent: closed. */
  readonly deciding: { readonly item: Quarantined; readonly decision: Decision } | undefined;
  readonly onClose: () => void;
}

/** Says what a decision about a serial number does, and asks once more. */
export function DecideDialog({ deciding, onClose }: DecideDialogProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const decide = useMutation({
    mutationFn: async ({ item, decision }: NonNullable<DecideDialogProps['deciding']>) =>
      await decideQuarantined(client, item, decision),
    onSuccess: () => {
      for (const key of ['quarantine', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      onClose();
    },
  });
  const releases = deciding?.decision === 'release';
  const { serial, deviceId } = deciding?.item ?? { serial: '', deviceId: '' };
  return (
    <ConfirmDialog
      opened={deciding !== undefined}
      title={releases ? 'Let it enrol once more?' : 'Keep it out?'}
      action={releases ? 'Release' : 'Refuse'}
      keep="Not now"
      isPending={decide.isPending}
      error={decide.error}
      onConfirm={() => deciding !== undefined && decide.mutate(deciding)}
      onClose={onClose}
      onClosed={decide.reset}
    >
      {releases ? (
        <p>
          Serial number <strong>{serial}</strong> may enrol once more. When it does, whatever <strong>{deviceId}</strong> had
          before to connect with is revoked: right for a unit that was repaired or set back.
        </p>
      ) : (
        <p>
          Serial number <strong>{serial}</strong> stays out, and what <strong>{deviceId}</strong> has to connect with stays good:
          right for a copy.
        </p>
      )}
    </ConfirmDialog>
  );
}

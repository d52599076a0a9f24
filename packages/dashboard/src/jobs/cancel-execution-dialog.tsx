import { useMutation, useQueryClient } from '@tanstack/react-query';
import { cancelExecution, type Execution } from '../api/job-executions.ts';
import { useServices } from '../app/services.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';

interface CancelExecutionProps {
  /** Absent: closed. */
  readonly execution: Execution | undefined;
  readonly onClose: () => void;
}

/** Cancels a job on one device, where it has not moved on since one looked. */
export function CancelExecutionDialog({ execution, onClose }: CancelExecutionProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const cancel = useMutation({
    mutationFn: async (wanted: Execution) => await cancelExecution(client, wanted, wanted.status === 'IN_PROGRESS'),
    onSuccess: onClose,
    onSettled: () => void queries.invalidateQueries({ queryKey: ['jobs'] }),
  });
  return (
    <ConfirmDialog
      opened={execution !== undefined}
      title="Cancel the job on this device?"
      action="Cancel it there"
      keep="Leave it"
      isPending={cancel.isPending}
      error={cancel.error}
      onConfirm={() => execution !== undefined && cancel.mutate(execution)}
      onClose={onClose}
      onClosed={cancel.reset}
    >
      <p>
        <strong>{execution?.job}</strong> is cancelled on <strong>{execution?.device}</strong>.{' '}
        {execution?.status === 'IN_PROGRESS'
          ? 'The device is in the middle of it: it is told, and whether it stops there is up to it.'
          : 'The device has not begun it.'}
      </p>
    </ConfirmDialog>
  );
}

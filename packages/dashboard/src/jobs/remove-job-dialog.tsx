import { useMutation, useQueryClient } from '@tanstack/react-query';
import { removeJob, type Job } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { isRunning } from './job-words.ts';

interface RemoveJobProps {
  readonly job: Job | undefined;
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onRemoved: () => void;
}

export function RemoveJobDialog({ job, opened, onClose, onRemoved }: RemoveJobProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const running = job !== undefined && isRunning(job);
  const remove = useMutation({
    mutationFn: async (id: string) => await removeJob(client, id, running),
    onSuccess: () => {
      onClose();
      onRemoved();
    },
    onSettled: () => {
      for (const key of ['jobs', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  return (
    <ConfirmDialog
      opened={opened}
      title="Delete this job?"
      action="Delete it"
      keep="Keep it"
      isPending={remove.isPending}
      error={remove.error}
      onConfirm={() => job !== undefined && remove.mutate(job.id)}
      onClose={onClose}
      onClosed={remove.reset}
    >
      <p>
        <strong>{job?.id}</strong> is deleted with all that is known of its executions.{' '}
        {running && 'It has not ended: devices that have it are not told. Cancel it first if they are to stop.'}
      </p>
    </ConfirmDialog>
  );
}

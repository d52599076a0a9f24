import { Checkbox, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { cancelJob, type Job } from '../api/jobs.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';

interface CancelJobProps {
  readonly job: Job | undefined;
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function CancelJobDialog({ job, opened, onClose }: CancelJobProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [force, setForce] = useState(false);
  const [comment, setComment] = useState('');
  const cancel = useMutation({
    mutationFn: async (id: string) =>
      await cancelJob(client, id, { force, ...(comment.trim() !== '' && { comment: comment.trim() }) }),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['jobs', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const running = job?.counts.IN_PROGRESS ?? 0;
  return (
    <ConfirmDialog
      opened={opened}
      title="Cancel this job?"
      action="Cancel the job"
      keep="Let it go on"
      isPending={cancel.isPending}
      error={cancel.error}
      onConfirm={() => job !== undefined && cancel.mutate(job.id)}
      onClose={onClose}
      onClosed={() => {
        cancel.reset();
        setForce(false);
        setComment('');
      }}
    >
      <p>
        Nobody is given <strong>{job?.id}</strong> any more, and devices that have not begun it are told that it is cancelled.
        There is no way back.
      </p>
      <TextInput
        label="Why (optional)"
        autoComplete="off"
        maxLength={2000}
        value={comment}
        onChange={(event) => setComment(event.currentTarget.value)}
      />
      <Checkbox
        label={`Also on devices that are in the middle of it (${formatCount(running)} now)`}
        checked={force}
        onChange={(event) => setForce(event.currentTarget.checked)}
      />
    </ConfirmDialog>
  );
}

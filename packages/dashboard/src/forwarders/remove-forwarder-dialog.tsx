import { useMutation, useQueryClient } from '@tanstack/react-query';
import { removeForwarder, type Forwarder } from '../api/forwarders.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';

interface RemoveForwarderProps {
  /** Undefined: none is being removed. */
  readonly forwarder: Forwarder | undefined;
  readonly onClose: () => void;
}

export function RemoveForwarderDialog({ forwarder, onClose }: RemoveForwarderProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: removeForwarder.bind(null, client),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['forwarders', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const lag = forwarder?.state?.lagRecords ?? 0;
  return (
    <ConfirmDialog
      opened={forwarder !== undefined}
      title="Remove this forwarder?"
      action="Remove it"
      keep="Keep it"
      isPending={remove.isPending}
      error={remove.error}
      onConfirm={() => forwarder !== undefined && remove.mutate(forwarder.id)}
      onClose={onClose}
      onClosed={remove.reset}
    >
      <p>
        <strong>{forwarder?.id}</strong> stops, and where it was is forgotten.
        {lag > 0 && ` ${formatCount(lag)} records that it has not looked at are not sent.`}
      </p>
    </ConfirmDialog>
  );
}

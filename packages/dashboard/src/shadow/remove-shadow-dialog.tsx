import { useMutation, useQueryClient } from '@tanstack/react-query';
import { removeShadow, type Shadow, type ShadowName } from '../api/shadows.ts';
import { useServices } from '../app/services.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';
import { shadowTitle } from './shadow-words.ts';

interface RemoveShadowProps {
  readonly name: ShadowName;
  readonly shadow: Shadow | undefined;
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function RemoveShadowDialog({ name, shadow, opened, onClose }: RemoveShadowProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: async (version: number) => await removeShadow(client, name, version),
    onSuccess: onClose,
    onSettled: () => void queries.invalidateQueries({ queryKey: ['shadow', name.device] }),
  });
  return (
    <ConfirmDialog
      opened={opened}
      title="Remove this shadow?"
      action="Remove it"
      keep="Keep it"
      isPending={remove.isPending}
      error={remove.error}
      onConfirm={() => shadow !== undefined && remove.mutate(shadow.version)}
      onClose={onClose}
      onClosed={remove.reset}
    >
      <p>
        <strong>{shadowTitle(name.name)}</strong> of {name.device} is removed with all that is desired and reported in it. Its
        history stays for a while, and versions go on where it is made again within 48 hours.
      </p>
    </ConfirmDialog>
  );
}

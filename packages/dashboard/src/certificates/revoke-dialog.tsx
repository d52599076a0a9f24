import { NativeSelect } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { REVOCATION_REASONS, revokeCertificate, type Certificate } from '../api/certificates.ts';
import { useServices } from '../app/services.ts';
import { ConfirmDialog } from '../ui/confirm-dialog.tsx';

interface RevokeDialogProps {
  /** Absent: closed. */
  readonly certificate: Certificate | undefined;
  readonly onClose: () => void;
}

const OPTIONS = REVOCATION_REASONS.map(([value, label]) => ({ value, label }));

/** Asks for the reason, and once more. */
export function RevokeDialog({ certificate, onClose }: RevokeDialogProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [reason, setReason] = useState<string>('unspecified');
  const revoke = useMutation({
    mutationFn: async (id: string) => await revokeCertificate(client, id, reason),
    onSuccess: () => {
      for (const key of ['certificates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      opened={certificate !== undefined}
      title="Revoke this certificate?"
      action="Revoke for good"
      keep="Keep it"
      isPending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => certificate !== undefined && revoke.mutate(certificate.id)}
      onClose={onClose}
      onClosed={() => {
        revoke.reset();
        setReason('unspecified');
      }}
    >
      <p>
        <strong>{certificate?.device ?? certificate?.claimBatch}</strong> cannot connect with{' '}
        <code>{certificate?.id.slice(0, 16)}…</code> any more, and what is connected with it is cut at once. There is no way back.
      </p>
      <NativeSelect label="Reason" data={OPTIONS} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
    </ConfirmDialog>
  );
}

import { Button, Modal, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { issueCertificate } from '../api/certificates.ts';
import { useServices } from '../app/services.ts';
import styles from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { IssuedFiles } from './issued-files.tsx';

interface IssueDialogProps {
  readonly device: string;
  /** Whether it has one that is good: then this takes its place. */
  readonly rotates: boolean;
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function IssueDialog({ opened, onClose, ...rest }: IssueDialogProps) {
  const [issued, setIssued] = useState(false);
  const title = issued ? 'Certificate issued' : rotates(rest.rotates);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      size="lg"
      closeOnClickOutside={!issued}
      closeOnEscape={!issued}
      closeButtonProps={{ 'aria-label': 'Close' }}
      onExitTransitionEnd={() => setIssued(false)}
    >
      <Issue {...rest} onIssued={() => setIssued(true)} onClose={onClose} />
    </Modal>
  );
}

function rotates(does: boolean): string {
  return does ? 'Rotate the certificate' : 'Issue a certificate';
}

type IssueProps = Pick<IssueDialogProps, 'device' | 'rotates' | 'onClose'> & { readonly onIssued: () => void };

/** First the form, then the files: the key is shown this once. */
function Issue({ device, rotates: isRotation, onIssued, onClose }: IssueProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [days, setDays] = useState('');
  const [csrPem, setCsrPem] = useState('');
  // Whether it is a rotation when the dialog opens: it is not a question any more once it is done.
  const [rotating] = useState(isRotation);
  const issue = useMutation({
    mutationFn: async () =>
      await issueCertificate(client, device, {
        ...(days !== '' && { days: Number(days) }),
        ...(csrPem.trim() !== '' && { csrPem: csrPem.trim() }),
      }),
    onSuccess: () => {
      onIssued();
      for (const key of ['certificates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  if (issue.data !== undefined) return <IssuedFiles issued={issue.data} onClose={onClose} />;
  return (
    <form
      className={styles.form}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        issue.mutate();
      }}
    >
      {rotating && <p>The one before stays good until {device} first connects with the new one, and is revoked then.</p>}
      <TextInput
        label="Days (optional)"
        description="How long it is good. Empty: as the server has it set."
        inputMode="numeric"
        value={days}
        onChange={(event) => setDays(event.currentTarget.value.replace(/\D/g, '').slice(0, 5))}
      />
      <Textarea
        className={styles.mono}
        label="Certificate request (optional)"
        description="A CSR in PEM form: the key then stays with the device. Empty: the server makes a key and shows it once."
        placeholder="-----BEGIN CERTIFICATE REQUEST-----"
        rows={5}
        spellCheck={false}
        value={csrPem}
        onChange={(event) => setCsrPem(event.currentTarget.value)}
      />
      {issue.error !== null && <ProblemNotice error={issue.error} />}
      <div className={styles.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={issue.isPending}>
          {rotating ? 'Rotate' : 'Issue'}
        </Button>
      </div>
    </form>
  );
}
